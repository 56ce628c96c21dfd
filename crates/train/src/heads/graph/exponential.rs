//! e^x without a branch, so that a compiler computes several at once.

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
