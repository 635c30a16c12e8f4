//! Texts that others wrote, made fit for status.

/// The text in at most so many bytes of valid UTF-8, its control characters (but line breaks and
/// tabs) and those that turn the direction of reading replaced, white space at its end removed; and
/// whether it was cut.
#[must_use]
pub fn clean(text: &str, max_bytes: usize) -> (String, bool) {
    let readable: String = text.trim_end().chars().map(|it| if is_unfit(it) { '\u{fffd}' } else { it }).collect();
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

/// The same in one line.
#[must_use]
pub fn in_one_line(text: &str) -> String {
    text.trim_end()
        .chars()
        .map(|it| {
            if it.is_whitespace() {
                ' '
            } else if is_unfit(it) {
                '\u{fffd}'
            } else {
                it
            }
        })
        .collect()
}

/// Whether a character changes how others are shown, and with them what people believe to read.
fn is_unfit(it: char) -> bool {
    (it.is_control() && it != '\n' && it != '\t')
        || matches!(it, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{clean, in_one_line};

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
    fn what_turns_the_direction_of_reading_is_replaced() {
        assert_eq!(clean("exe.\u{202e}txt", 64).0, "exe.\u{fffd}txt");
    }

    #[test]
    fn one_line_holds_it_all() {
        assert_eq!(in_one_line("a\r\nb\u{1b}[2K\tc\n"), "a  b\u{fffd}[2K c");
    }

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(clean("a\u{1b}[31mb\tc\nd", 64).0, "a\u{fffd}[31mb\tc\nd");
    }
}
