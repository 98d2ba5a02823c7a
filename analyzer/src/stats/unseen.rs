//! How many categories that were never seen are to be expected: Good and Turing's answer.

use crate::stats::proportion::binomial_upper;

/// What a baseline says about levels it has not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unseen {
    rows: u64,
    singletons: u64,
}

impl Unseen {
    /// From how often each level was seen; `None` of no rows.
    pub fn of(levels: impl IntoIterator<Item = u64>) -> Option<Self> {
        let (mut rows, mut singletons) = (0, 0);
        for count in levels {
            rows += count;
            singletons += u64::from(count == 1);
        }
        (rows > 0).then_some(Self { rows, singletons })
    }

    /// The expected share of rows of unseen levels, `max(N₁, 1)/n`: as many as were seen once (Good 1953, eq. 9). One at
    /// least, so that a closed vocabulary is not held to never.
    pub fn rate(self) -> f64 {
        self.singletons.max(1) as f64 / self.rows as f64
    }

    /// How likely `unseen` of `rows` or more are where nothing changed: `P(X ≥ unseen)` of the binomial law of
    /// [`Unseen::rate`].
    ///
    /// ```
    /// use analyzer::stats::unseen::Unseen;
    /// // Four countries, each seen often: five rows of a fifth one are no chance.
    /// let countries = Unseen::of([4_000, 3_000, 2_000, 1_000]).unwrap();
    /// assert!(countries.p(5, 500) < 1e-7);
    /// // Names, most of them seen once: fifty new ones are as expected.
    /// let names = Unseen::of([1; 600]).unwrap();
    /// assert_eq!(names.p(50, 100), 1.0);
    /// ```
    pub fn p(self, unseen: u64, rows: u64) -> f64 {
        binomial_upper(unseen, rows, self.rate())
    }
}
