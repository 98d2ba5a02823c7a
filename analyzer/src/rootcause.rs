//! Why an incident came about (METHODS 10): which signals moved and what that did to the prediction, which segments carry
//! the change, what changed first, and what else changed near the onset.
//!
//! Everything here is a plain function of counts, sums and rows that were read before. [`signals`] ranks signals,
//! [`onset`] finds when each changed, [`cells`] splits a measure over segments and pairs of them, [`attribution`] does so
//! for counts, [`report`] puts it together with its sentences and addresses.

pub mod attribution;
pub mod cells;
pub mod onset;
pub mod report;
pub mod signals;
