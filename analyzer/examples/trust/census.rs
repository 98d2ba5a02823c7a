//! Real people: each row is one of those whom the American Community Survey asked in Massachusetts in 2015, with the score
//! of a model of who is employed. What was asked once has no hours, so rows are independent; their laws are real ones.

use std::path::Path;
use std::rc::Rc;

use analyzer::simulate::{Draw, Signal};

use crate::columns::{self, Column, drawn};

const NUMBERS: [&str; 2] = ["AGEP", "predicted_probability"];
const CATEGORIES: [&str; 15] = [
    "SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG", "MIL", "ANC", "NATIVITY", "DEAR", "DEYE", "DREM",
    "SEX", "RAC1P",
];

pub struct People {
    columns: Vec<Rc<Column>>,
    all: Rc<Vec<usize>>,
}

impl People {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let read = columns::read(path)?;
        let all: Vec<usize> = (0..read.num_rows()).collect();
        let mut known = Vec::new();
        for name in NUMBERS {
            known.extend(columns::number(&read, name, &all)?.map(Rc::new));
        }
        for name in CATEGORIES {
            known.extend(columns::category(&read, name, &all)?.map(Rc::new));
        }
        let wanted = NUMBERS.len() + CATEGORIES.len();
        anyhow::ensure!(
            known.len() == wanted,
            "only {} of {wanted} columns of people were found",
            known.len()
        );
        Ok(Self { columns: known, all: Rc::new(all) })
    }

    pub fn signals(&self) -> usize {
        self.columns.len()
    }

    /// A model of these columns, each of whose rows is any of the people.
    pub fn rows(&self, rows: usize) -> Vec<Signal> {
        let signal = |column: &Rc<Column>| {
            let (own, all) = (column.clone(), self.all.clone());
            let draw: Draw = Box::new(move |_, fault, random| drawn(&own, &all, rows, fault, random));
            Signal { name: column.name.clone(), grid: column.grid.clone(), draw }
        };
        self.columns.iter().map(signal).collect()
    }
}
