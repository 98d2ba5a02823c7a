//! Whether what should come comes in time: outcomes. Events themselves are in [`crate::traffic`], features in
//! [`crate::slo`].

pub mod label_lag;
