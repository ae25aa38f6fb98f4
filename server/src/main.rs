//! The one binary: web, workers, migrations, simulator.
fn main() {}
