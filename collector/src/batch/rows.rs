//! The rows of a serialised batch as the store keeps them, by the month, to be looked for and inserted again.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use domain::time::Instant;
use sql::kept::Keeper;

use super::span::{millis, texts};

/// What a table keeps of a batch.
#[derive(Debug)]
pub struct Rows {
    all: RecordBatch,
    pub months: Vec<Month>,
}

/// The rows of a month, which a table has or has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Month {
    /// Its first row: what is asked for to know whether all are there.
    pub model: String,
    pub at: Instant,
    rows: Vec<u32>,
}

impl Rows {
    /// # Errors
    /// Where the bytes are no batch of this keeper.
    pub fn read(keeper: &Keeper, stream: &[u8]) -> Result<Self, ArrowError> {
        let reader = StreamReader::try_new(stream, None)?;
        let schema = reader.schema();
        let all = concat_batches(&schema, &reader.collect::<Result<Vec<_>, _>>()?)?;
        // An earlier build may have written fewer columns.
        let kept = schema.fields().iter().enumerate();
        let kept = kept.filter(|(_, field)| keeper.schema.column_with_name(field.name()).is_some());
        let all = all.project(&kept.map(|(index, _)| index).collect::<Vec<_>>())?;
        let (models, times) = (texts(&all, "model"), millis(&all, keeper.time));
        if [models.len(), times.len()] != [all.num_rows(); 2] {
            return Err(ArrowError::SchemaError(format!("a batch is not one of {}", keeper.table)));
        }
        let lists = keeper.unless_empty.and_then(|name| all.column_by_name(name)?.as_list_opt::<i32>());
        let is_kept = |row: u32| lists.is_none_or(|lists| lists.value_length(row as usize) > 0);
        let mut months: BTreeMap<Option<i32>, Month> = BTreeMap::new();
        for (row, (model, at)) in (0..).zip(models.into_iter().zip(times)).filter(|(row, _)| is_kept(*row)) {
            let month = months.entry(at.month());
            month.or_insert_with(|| Month { model, at, rows: Vec::new() }).rows.push(row);
        }
        Ok(Self { all, months: months.into_values().collect() })
    }

    /// The rows of these months.
    pub fn of(&self, months: &[&Month]) -> Result<RecordBatch, ArrowError> {
        let rows = months.iter().flat_map(|month| month.rows.iter().copied());
        take_record_batch(&self.all, &UInt32Array::from_iter_values(rows))
    }
}

#[cfg(test)]
mod tests {
    use sql::intake::Door;

    use super::*;
    use crate::event::{Name, Outcome, Prediction};
    use crate::guard::Marks;
    use crate::known::Known;

    fn outcome(model: &str, id: &str, at: &str) -> Outcome {
        let at: Instant = at.parse().expect("an instant");
        Outcome {
            id: id.to_owned(),
            model: Name::from(model),
            timestamp: at,
            received_at: at,
            numbers: vec![(Name::from("value"), 1.0)],
            categories: Vec::new(),
            lists: Vec::new(),
            source: Name::from("test"),
        }
    }

    #[test]
    fn rows_are_asked_for_and_taken_by_the_month_that_they_lie_in() {
        let outcomes = [
            outcome("a", "1", "2026-10-31T23:59:59.999Z"),
            outcome("b", "2", "2026-11-01T00:00:00Z"),
            outcome("a", "3", "2026-10-01T00:00:00Z"),
        ];
        let stream = crate::batch::outcomes(&outcomes).expect("columns");
        let stream = sql::store::arrow_stream(&stream).expect("bytes");
        let rows = Rows::read(&Door::Outcomes.keepers()[0], &stream).expect("a batch");
        let asked: Vec<(&str, Instant)> =
            rows.months.iter().map(|month| (month.model.as_str(), month.at)).collect();
        assert_eq!(asked, [("a", outcomes[0].timestamp), ("b", outcomes[1].timestamp)]);
        let october = rows.of(&[&rows.months[0]]).expect("rows");
        let ids: Vec<Option<&str>> = october.column(0).as_string::<i32>().iter().collect();
        assert_eq!(ids, [Some("1"), Some("3")]);
        assert_eq!(october.schema().fields().len(), Door::Outcomes.schema().fields().len());
        assert!(Rows::read(&Door::Intake.keepers()[0], b"no arrow").is_err());
    }

    #[test]
    fn of_rules_only_rows_are_kept_in_which_some_are_broken_or_nothing_is_said() {
        let event = |id: &str, month: u32, rules: &[&str]| Prediction {
            id: id.to_owned(),
            marks: Some(Box::new(Marks {
                breaches: rules.iter().map(|rule| Name::from(*rule)).collect(),
                counts_only: false,
            })),
            ..Prediction::empty(
                Name::from("m"),
                format!("2026-{month}-07T00:00:00Z").parse().expect("an instant"),
            )
        };
        let events = vec![
            event("1", 10, &[]),
            event("2", 10, &["x.range"]),
            event("3", 11, &[]),
            event("4", 12, &["x.range", "y.type"]),
        ];
        let batch = crate::batch::predictions(events.into(), &Known::default()).expect("columns").batch;
        let keepers = Door::Intake.keepers();
        let kept = |keeper: &Keeper, batch: &RecordBatch| {
            let stream = sql::store::arrow_stream(batch).expect("bytes");
            let rows = Rows::read(keeper, &stream).expect("a batch");
            let all = rows.of(&rows.months.iter().collect::<Vec<_>>()).expect("rows");
            let ids = all.column(0).as_string::<i32>().iter().flatten().map(str::to_owned);
            (ids.collect::<Vec<_>>(), all.schema())
        };
        assert_eq!(kept(&keepers[0], &batch).0, ["1", "2", "3", "4"]);
        let (ids, schema) = kept(&keepers[1], &batch);
        assert_eq!(ids, ["2", "4"]);
        let names = |schema: &arrow::datatypes::Schema| {
            schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&schema), names(&sql::intake::broken_rules_schema()));
        // An earlier build did not say what was broken.
        let before = batch.project(&(0..batch.num_columns() - 1).collect::<Vec<_>>()).expect("columns");
        let (ids, schema) = kept(&keepers[1], &before);
        assert_eq!(ids.len(), 4);
        assert!(!names(&schema).contains(&"rules".to_owned()));
    }
}
