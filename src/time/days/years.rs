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

    fn year_of(word: usize, bit: u32) -> i16 {
        i16::try_from(word * 64).unwrap_or(0) + i16::try_from(bit).unwrap_or(0) + Self::FIRST
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
            Self::Listed(words) => {
                let (first, mask) = Self::place(year.max(Self::FIRST))?;
                let rest = words.iter().enumerate().skip(first);
                // Of the first word only what is not below the year.
                let mut rest =
                    rest.map(|(word, years)| (word, if word == first { years & !(mask - 1) } else { *years }));
                rest.find(|(_, years)| *years != 0).map(|(word, years)| Self::year_of(word, years.trailing_zeros()))
            }
        }
    }

    pub(super) fn at_or_before(&self, year: i16) -> Option<i16> {
        match self {
            Self::Any => (year >= -Self::LAST).then_some(year),
            Self::Listed(words) => {
                let (last, mask) = Self::place(year.min(Self::LAST))?;
                let rest = words.iter().enumerate().take(last + 1).rev();
                let mut rest =
                    rest.map(|(word, years)| (word, if word == last { years & (mask | (mask - 1)) } else { *years }));
                rest.find(|(_, years)| *years != 0).map(|(word, years)| Self::year_of(word, years.ilog2()))
            }
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

#[cfg(test)]
mod tests {
    use super::Years;

    #[test]
    fn listed_years_are_found_from_any_other_both_ways() {
        let listed = [1970, 1971, 2033, 2034, 2097, 2098, 5000, 9998, 9999];
        let mut years = Years::none();
        listed.into_iter().for_each(|year| years.add(year));
        for year in 1960..=9999 {
            assert_eq!(years.at_or_after(year), listed.into_iter().find(|it| *it >= year), "from {year}");
            assert_eq!(years.at_or_before(year), listed.into_iter().rev().find(|it| *it <= year), "back from {year}");
        }
        assert_eq!(Years::none().at_or_after(1970), None);
        assert_eq!(Years::none().at_or_before(9999), None);
    }
}
