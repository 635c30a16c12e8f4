//! Sets of small numbers: bit n stands for n, and n is below 63.

pub(super) fn bit(number: i8) -> u64 {
    1 << number
}

pub(super) fn below(number: i8) -> u64 {
    bit(number) - 1
}

pub(super) fn at_or_above(number: i8) -> u64 {
    !below(number)
}

pub(super) fn at_or_below(number: i8) -> u64 {
    below(number) | bit(number)
}

pub(super) fn above(number: i8) -> u64 {
    !at_or_below(number)
}

pub(super) fn lowest(set: u64) -> Option<i8> {
    if set == 0 { None } else { i8::try_from(set.trailing_zeros()).ok() }
}

pub(super) fn highest(set: u64) -> Option<i8> {
    set.checked_ilog2().and_then(|number| i8::try_from(number).ok())
}

/// All members, ascending.
pub(super) fn members(mut set: u64) -> impl Iterator<Item = i8> {
    std::iter::from_fn(move || {
        let member = lowest(set)?;
        set &= set - 1;
        Some(member)
    })
}
