//! Texts that others wrote, made fit for status.

/// The text in at most so many bytes of valid UTF-8, its control characters (but line breaks and
/// tabs) replaced, white space at its end removed; and whether it was cut.
#[must_use]
pub fn clean(text: &str, max_bytes: usize) -> (String, bool) {
    let readable: String = text
        .trim_end()
        .chars()
        .map(|it| if it.is_control() && it != '\n' && it != '\t' { '\u{fffd}' } else { it })
        .collect();
    if readable.len() <= max_bytes {
        return (readable, false);
    }
    const MARK: &str = "…";
    let mut end = max_bytes.saturating_sub(MARK.len());
    while !readable.is_char_boundary(end) {
        end -= 1;
    }
    (readable[..end].to_owned() + MARK, true)
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn a_short_text_stays_as_it_is() {
        assert_eq!(clean("rows=42\n", 256), ("rows=42".into(), false));
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_and_says_so() {
        let (text, cut) = clean(&"ä".repeat(1000), 1024);
        assert!(cut && text.len() <= 1024 && text.ends_with("ä…"), "{}", text.len());
    }

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(clean("a\u{1b}[31mb\tc\nd", 64).0, "a\u{fffd}[31mb\tc\nd");
    }
}
