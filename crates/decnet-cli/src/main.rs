//! decnet
fn main() {}
