//! Every use case; the only crate that speaks SQL, Redis and outgoing HTTP.
