//! `rejected_events`: what could not be taken, with the reason.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::intake::{instant, list_of};

/// The columns of `rejected_events`, in order.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let texts = ["model", "kind", "source", "position", "field", "reason", "payload"];
        let mut fields = vec![Field::new("received_at", instant(), false)];
        fields.extend(texts.map(|name| Field::new(name, DataType::Utf8, false)));
        fields.extend([
            Field::new("version", DataType::Utf8, false),
            Field::new("environment", DataType::Utf8, false),
            Field::new("happened_at", instant(), false),
            Field::new("rules", list_of(DataType::Utf8), false),
        ]);
        Arc::new(Schema::new(fields))
    });
    SCHEMA.clone()
}
