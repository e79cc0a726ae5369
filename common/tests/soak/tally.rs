use std::fmt;

/// Which numbers came: a bit for each, so that counting needs no memory while messages come.
pub(crate) struct Tally {
    seen: Vec<u64>,
    expected: usize,
    distinct: usize,
    duplicates: usize,
    /// The highest number so far.
    last: Option<usize>,
}

impl Tally {
    pub(crate) fn new(expected: usize) -> Self {
        Self { seen: vec![0; expected.div_ceil(64)], expected, distinct: 0, duplicates: 0, last: None }
    }

    /// A message came; whether for the first time. Each does so after those before it.
    pub(crate) fn note(&mut self, number: usize) -> bool {
        assert!(number < self.expected, "nobody has sent {number}");
        let (word, bit) = (&mut self.seen[number / 64], 1 << (number % 64));
        if *word & bit != 0 {
            self.duplicates += 1;
            return false;
        }
        *word |= bit;
        self.distinct += 1;
        assert!(self.last < Some(number), "{number} comes after {:?}", self.last);
        self.last = Some(number);
        true
    }

    pub(crate) fn distinct(&self) -> usize {
        self.distinct
    }

    pub(crate) fn duplicates(&self) -> usize {
        self.duplicates
    }

    pub(crate) fn assert_complete(&self) {
        assert_eq!(self.distinct, self.expected, "{self:?}");
    }

    fn missing(&self) -> Vec<usize> {
        let seen = |number: &usize| self.seen[number / 64] & (1 << (number % 64)) != 0;
        let sent = 0..self.last.map_or(0, |last| last + 1);
        sent.filter(|number| !seen(number)).take(20).collect()
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, distinct, duplicates, last, .. } = self;
        let missing = self.missing();
        write!(f, "{distinct} of {expected}, {duplicates} twice, the last {last:?}; missing {missing:?}")
    }
}
