//! `outcomes`: the truth about predictions, as it comes.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::intake::{dictionary, instant, map_of};

/// The columns of `outcomes`, in order.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let columns = [
            ("id", DataType::Utf8),
            ("model", dictionary()),
            ("timestamp", instant()),
            ("received_at", instant()),
            ("numbers", map_of(DataType::Float64, true)),
            ("categories", map_of(dictionary(), true)),
            ("source", dictionary()),
        ];
        let fields = columns.map(|(name, kind)| Field::new(name, kind, false));
        Arc::new(Schema::new(fields.to_vec()))
    });
    SCHEMA.clone()
}
