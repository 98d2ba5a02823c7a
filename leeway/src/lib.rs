//! leeway
