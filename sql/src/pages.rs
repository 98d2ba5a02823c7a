//! What the pages ask beyond the tables' own modules: reading only, one module a page.

pub mod deliveries;
pub mod incident;
