//! A question with its parameters: bound when it is asked, written out when a page says where its numbers come from.

use clickhouse::query::Query;

use crate::counts::{Question, Resolution};
use crate::error::Error;
use crate::store::Store;

/// A question as text, with its parameters filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub title: &'static str,
    pub sql: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Integer(i64),
    Texts(Vec<String>),
    /// A name of a table or column; only ever one of ours.
    Name(&'static str),
}

/// A question of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    title: &'static str,
    text: &'static str,
    parameters: Vec<(&'static str, Value)>,
}

impl Ask {
    pub(crate) fn new(title: &'static str, text: &'static str) -> Self {
        Self { title, text, parameters: Vec::new() }
    }

    pub(crate) fn text(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.parameters.push((name, Value::Text(value.into())));
        self
    }

    pub(crate) fn integer(mut self, name: &'static str, value: impl Into<i64>) -> Self {
        self.parameters.push((name, Value::Integer(value.into())));
        self
    }

    pub(crate) fn texts(mut self, name: &'static str, values: &[String]) -> Self {
        self.parameters.push((name, Value::Texts(values.to_vec())));
        self
    }

    pub(crate) fn name(mut self, name: &'static str, value: &'static str) -> Self {
        self.parameters.push((name, Value::Name(value)));
        self
    }

    /// What `Store::counts` asks.
    pub fn counts(question: &Question) -> Asked {
        Self::of_question(
            "How many values fell into each bin",
            question,
            include_str!("../../queries/counts_by_minutes.sql"),
            include_str!("../../queries/counts_by_hours.sql"),
        )
    }

    /// What `Store::moments` asks.
    pub fn moments(question: &Question) -> Asked {
        Self::of_question(
            "Counts, sums and extremes of the numbers",
            question,
            include_str!("../../queries/moments_by_minutes.sql"),
            include_str!("../../queries/moments_by_hours.sql"),
        )
    }

    /// What `Store::traffic` asks.
    pub fn traffic(question: &Question) -> Asked {
        Self::of_question(
            "Events and errors over time",
            question,
            include_str!("../../queries/traffic_by_minutes.sql"),
            include_str!("../../queries/traffic_by_hours.sql"),
        )
    }

    fn of_question(
        title: &'static str,
        question: &Question,
        minutes: &'static str,
        hours: &'static str,
    ) -> Asked {
        let (text, step) = match question.resolution {
            Resolution::Minutes => (minutes, domain::time::MINUTE),
            Resolution::Hours => (hours, domain::time::HOUR),
        };
        let whole = question.interval.widened_to(step);
        let step_s = if question.step_s == 0 { u32::MAX } else { question.step_s };
        Self::new(title, text)
            .text("model", &question.model)
            .text("environment", &question.environment)
            .integer("start", whole.start.seconds())
            .integer("end", whole.end.seconds())
            .texts("segments", &question.segments)
            .texts("signals", &question.signals)
            .texts("versions", &[])
            .texts("other_versions", &[])
            .integer("step_s", step_s)
            .asked()
    }

    pub(crate) fn bind(&self, store: &Store) -> Query {
        self.parameters.iter().fold(store.query(self.text), |query, (name, value)| match value {
            Value::Text(text) => query.param(name, text),
            Value::Integer(integer) => query.param(name, integer),
            Value::Texts(texts) => query.param(name, texts),
            Value::Name(name_of) => query.param(name, name_of),
        })
    }

    /// The rows of the answer.
    pub(crate) async fn rows<T>(&self, store: &Store) -> Result<Vec<T>, Error>
    where
        T: clickhouse::RowOwned + clickhouse::RowRead,
    {
        Ok(self.bind(store).fetch_all().await?)
    }

    /// The question as text, without comments, with every `{name:Type}` replaced by its value.
    pub fn asked(&self) -> Asked {
        let mut sql: String = self
            .text
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"))
            .collect::<Vec<_>>()
            .join("\n");
        for (name, value) in &self.parameters {
            while let Some((start, end, kind)) = place_of(&sql, name) {
                let literal = literal(value, &kind);
                sql.replace_range(start..end, &literal);
            }
        }
        Asked { title: self.title, sql }
    }
}

/// Where `{name:Type}` stands, and its type.
fn place_of(sql: &str, name: &str) -> Option<(usize, usize, String)> {
    let opening = format!("{{{name}:");
    let start = sql.find(&opening)?;
    let length = sql[start..].find('}')?;
    let kind = sql[start + opening.len()..start + length].to_owned();
    Some((start, start + length + 1, kind))
}

fn literal(value: &Value, kind: &str) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::Integer(integer) => integer.to_string(),
        Value::Name(name) => (*name).to_owned(),
        Value::Texts(texts) => {
            let list: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
            format!("CAST([{}], '{kind}')", list.join(", "))
        }
    }
}

/// A string literal. Braces are written as escapes, so that no value is taken for a parameter.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("\\'"),
            '\\' => quoted.push_str("\\\\"),
            '{' => quoted.push_str("\\x7B"),
            c if c.is_control() => quoted.push_str(&format!("\\x{:02X}", u32::from(c) & 0xff)),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_written_out_with_its_values() {
        let ask = Ask::new("t", "-- why\nSELECT 1 FROM {table:Identifier} WHERE m = {model:String} AND s IN {s:Array(String)} AND t > {at:Int64}")
            .name("table", "traffic_hours")
            .text("model", "it's {model:String} \\")
            .texts("s", &["a".to_owned()])
            .integer("at", 7);
        assert_eq!(
            ask.asked().sql,
            "SELECT 1 FROM traffic_hours WHERE m = 'it\\'s \\x7Bmodel:String} \\\\' AND s IN CAST(['a'], 'Array(String)') AND t > 7"
        );
    }
}
