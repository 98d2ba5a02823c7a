//! The engine's child process by itself, for the tests of this crate; in Leeway it is the role `leeway engine`.

fn main() -> anyhow::Result<()> {
    engine::serve_child()
}
