//! Years that a trigger names.

/// Years from 1970 to 9999, or all there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Years {
    Any,
    /// Bit n of the list for 1970 + n.
    Listed(Vec<u64>),
}

impl Years {
    pub(in super::super) const FIRST: i16 = 1970;
    pub(in super::super) const LAST: i16 = 9999;

    /// No year yet.
    pub(in super::super) fn none() -> Self {
        Self::Listed(vec![0; usize::from((Self::LAST - Self::FIRST) as u16) / 64 + 1])
    }

    pub(in super::super) fn add(&mut self, year: i16) {
        let Self::Listed(words) = self else { return };
        if let Some((word, mask)) = Self::place(year)
            && let Some(word) = words.get_mut(word)
        {
            *word |= mask;
        }
    }

    fn place(year: i16) -> Option<(usize, u64)> {
        let index = usize::try_from(year - Self::FIRST).ok()?;
        Some((index / 64, 1 << (index % 64)))
    }

    pub(super) fn contains(&self, year: i16) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(words) => {
                Self::place(year).is_some_and(|(word, mask)| words.get(word).is_some_and(|it| it & mask != 0))
            }
        }
    }

    /// The first of these years at or after one.
    pub(super) fn at_or_after(&self, year: i16) -> Option<i16> {
        match self {
            Self::Any => (year <= Self::LAST).then_some(year),
            Self::Listed(_) => (year.max(Self::FIRST)..=Self::LAST).find(|it| self.contains(*it)),
        }
    }

    pub(super) fn at_or_before(&self, year: i16) -> Option<i16> {
        match self {
            Self::Any => (year >= -Self::LAST).then_some(year),
            Self::Listed(_) => (Self::FIRST..=year.min(Self::LAST)).rev().find(|it| self.contains(*it)),
        }
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Any, years) | (years, Self::Any) => years.clone(),
            (Self::Listed(these), Self::Listed(those)) => {
                Self::Listed(these.iter().zip(those).map(|(these, those)| these & those).collect())
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Listed(words) if words.iter().all(|it| *it == 0))
    }
}
