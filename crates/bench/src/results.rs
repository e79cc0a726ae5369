//! The measured values.

use std::collections::BTreeMap;

/// What is compared; a line of the table each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    Connect,
    Qos0Median,
    Qos0Tail,
    Qos1Median,
    Qos1Tail,
    Throughput100,
    Throughput1000,
    Cpu100,
    Cpu1000,
    BrokerCpu100,
    BrokerCpu1000,
    Memory,
    ReconnectDefault,
    ReconnectEqual,
}

/// Which of two values is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Less,
    More,
    /// It says something about the others.
    Neither,
}

impl Metric {
    pub(crate) const ALL: [Metric; 14] = [
        Metric::Connect,
        Metric::Qos0Median,
        Metric::Qos0Tail,
        Metric::Qos1Median,
        Metric::Qos1Tail,
        Metric::Throughput100,
        Metric::Throughput1000,
        Metric::Cpu100,
        Metric::Cpu1000,
        Metric::Memory,
        Metric::ReconnectDefault,
        Metric::ReconnectEqual,
        Metric::BrokerCpu100,
        Metric::BrokerCpu1000,
    ];

    /// Name with unit, the unit's share of the value's own (seconds, bytes, messages a second), digits shown.
    pub(crate) fn shown(self) -> (&'static str, f64, usize) {
        match self {
            Metric::Connect => ("connect, ms", 1e-3, 2),
            Metric::Qos0Median => ("round trip QoS 0, p50, µs", 1e-6, 0),
            Metric::Qos0Tail => ("round trip QoS 0, p99, µs", 1e-6, 0),
            Metric::Qos1Median => ("round trip QoS 1, p50, µs", 1e-6, 0),
            Metric::Qos1Tail => ("round trip QoS 1, p99, µs", 1e-6, 0),
            Metric::Throughput100 => ("QoS 1, 100 in flight, k/s", 1e3, 1),
            Metric::Throughput1000 => ("QoS 1, 1000 in flight, k/s", 1e3, 1),
            Metric::Cpu100 => ("CPU a message, 100, µs", 1e-6, 1),
            Metric::Cpu1000 => ("CPU a message, 1000, µs", 1e-6, 1),
            Metric::BrokerCpu100 => ("broker's CPU, 100, µs", 1e-6, 1),
            Metric::BrokerCpu1000 => ("broker's CPU, 1000, µs", 1e-6, 1),
            Metric::Memory => ("peak memory, MiB", 1024.0 * 1024.0, 1),
            Metric::ReconnectDefault => ("reconnected, default, ms", 1e-3, 0),
            Metric::ReconnectEqual => ("reconnected, equal, ms", 1e-3, 0),
        }
    }

    pub(crate) fn better(self) -> Better {
        match self {
            Metric::Throughput100 | Metric::Throughput1000 => Better::More,
            Metric::BrokerCpu100 | Metric::BrokerCpu1000 => Better::Neither,
            _ => Better::Less,
        }
    }
}

/// All values, by program.
#[derive(Debug)]
pub(crate) struct Results(Vec<BTreeMap<Metric, Vec<f64>>>);

impl Results {
    pub(crate) fn new(programs: usize) -> Self {
        Self(vec![BTreeMap::new(); programs])
    }

    pub(crate) fn add(&mut self, program: usize, metric: Metric, value: f64) {
        self.0[program].entry(metric).or_default().push(value);
    }

    /// `None` for what was not measured.
    pub(crate) fn median(&self, program: usize, metric: Metric) -> Option<f64> {
        Some(quantile(self.0.get(program)?.get(&metric)?.clone(), 0.5))
    }
}

/// The value below which this share of them lies; not a number if there are none.
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
    values.get(index).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_sorted_values() {
        let values: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!(quantile(values.clone(), 0.5), 50.0);
        assert_eq!(quantile(values, 0.99), 99.0);
        assert_eq!(quantile(vec![7.0], 0.99), 7.0);
        assert!(quantile(Vec::new(), 0.5).is_nan());
    }
}
