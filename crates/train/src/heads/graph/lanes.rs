//! Several numbers at once: registers as wide as the processor has them, and e^x without a branch.

/// Compiles an expression once more for processors of wider registers, and takes that where it runs on one. Each lane
/// is computed by itself and nothing is contracted, so that the values are the same everywhere.
macro_rules! widest {
    ($expression:expr) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f")]
            fn by_16<T>(run: impl FnOnce() -> T) -> T {
                run()
            }
            #[target_feature(enable = "avx2")]
            fn by_8<T>(run: impl FnOnce() -> T) -> T {
                run()
            }
            if std::arch::is_x86_feature_detected!("avx512f") {
                // SAFETY: the processor has these instructions.
                return unsafe {
                    by_16(
                        #[inline(always)]
                        || $expression,
                    )
                };
            }
            if std::arch::is_x86_feature_detected!("avx2") {
                // SAFETY: as above.
                return unsafe {
                    by_8(
                        #[inline(always)]
                        || $expression,
                    )
                };
            }
        }
        $expression
    }};
}

/// e^x for x from −87 to 88, to about one part in ten million; below −87 that of −87.
#[inline(always)]
pub(super) fn exponential(x: f32) -> f32 {
    /// Added and taken away again, it leaves a whole number.
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2^23
    /// ln 2 as a sum: the first part has so few bits that whole numbers times it are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = x - whole * LN_2[0] - whole * LN_2[1]; // within ±0.35
    let power = 1.987_569_1e-4f32;
    let power = power * rest + 1.398_2e-3;
    let power = power * rest + 8.333_452e-3;
    let power = power * rest + 4.166_579_6e-2;
    let power = power * rest + 1.666_666_5e-1;
    let power = power * rest + 0.5;
    let power = power * rest * rest + rest + 1.0;
    // 2^whole, by its bits: the lowest bits of `shifted` are those of the whole number
    let bits = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    power * f32::from_bits(bits.wrapping_add(127) << 23)
}

/// The sum of some lanes, by halves, so that it does not matter how many are added at once.
#[inline(always)]
pub(super) fn total(mut sums: [f32; 32]) -> f32 {
    let mut count = 16;
    while count > 0 {
        for k in 0..count {
            sums[k] += sums[k + count];
        }
        count /= 2;
    }
    sums[0]
}

/// `target += factor x`, as far as both go.
#[inline(always)]
pub(super) fn add_scaled(target: &mut [f32], x: &[f32], factor: f32) {
    for (target, x) in target.iter_mut().zip(x) {
        *target += factor * x;
    }
}

/// 1/(1 + e^−x), of any x.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x }; // `exponential` stays above it by itself
    1.0 / (1.0 + exponential(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_within_two_parts_in_ten_million() {
        for i in 0..=200_000 {
            let x = -87.0 + 0.000_87 * i as f32;
            let (ours, exact) = (f64::from(exponential(x)), f64::from(x).exp());
            assert!((ours / exact - 1.0).abs() < 2e-7, "{x}: {ours} {exact}");
        }
        assert_eq!(exponential(0.0), 1.0);
        assert_eq!(exponential(-1000.0), exponential(-87.0));
    }
}
