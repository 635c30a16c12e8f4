//! What a user may have meant to write.

/// How many characters one has to insert, remove or replace to get from one text to the other.
#[must_use]
pub fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (removed, left) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = removed + 1;
        for (column, right) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}
