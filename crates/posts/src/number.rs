//! Numbers as people read them.

/// `15629` is `15,629`.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A share as a percentage; what is little is not shown as nothing, what is not all is not shown as all.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let decimals = match percent {
        p if p > 0.0 && p < 10.0 || p > 99.0 && p < 100.0 => 1,
        _ => 0,
    };
    format!("{percent:.decimals$} %")
}

/// `1 post`, `2 posts`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        let numbers = [0, 999, 1000, 15_629, 1_234_567].map(thousands);
        assert_eq!(numbers, ["0", "999", "1,000", "15,629", "1,234,567"]);
    }

    #[test]
    fn small_shares_keep_a_decimal() {
        let shares = [0.0, 0.004, 0.26, 0.996, 1.0].map(percent);
        assert_eq!(shares, ["0 %", "0.4 %", "26 %", "99.6 %", "100 %"]);
    }
}
