//! What the guide shows is a program that is compiled.

#[test]
fn the_guide_shows_the_example() {
    let guide = include_str!("../../../../docs/guide/compose.md");
    let example = include_str!("../../examples/request_lines.rs");
    let (_, program) = example.split_once("\n\n").expect("a line says what it is");
    assert!(guide.contains(&format!("```rust\n{program}```\n")), "{program}");
}
