//! From Tesseract's table of words to one line of text: what is kept of what it believes to have read.
//!
//! In photographs Tesseract finds letters in leaves and windows. It is unsure of those, and they are short: words are
//! kept from a confidence of [`LEAST_CONFIDENCE`] on, and of those, lines that are long enough to be words. The table
//! has two pages, the picture and its negative; the one with more letters counts.

/// Percent; below it Tesseract mostly sees letters where there are none.
const LEAST_CONFIDENCE: f32 = 70.0;

/// Letters and digits below which a line is taken for noise; of characters that are whole words, fewer are enough.
const LEAST_LETTERS: usize = 3;
const LEAST_IDEOGRAPHS: usize = 2;

/// One word of the table.
struct Word<'a> {
    page: u32,
    /// Block, paragraph and line.
    line: [u32; 3],
    confidence: f32,
    text: &'a str,
}

/// The text of a table as `tessedit_create_tsv` makes it; empty when nothing was found. `None` for no such table.
pub(super) fn text_of(table: &str) -> Option<String> {
    let mut rows = table.lines();
    if !rows.next()?.starts_with("level\tpage_num\t") {
        return None;
    }
    let mut words = Vec::new();
    for row in rows {
        words.extend(word(row)?.filter(is_kept));
    }
    let [picture, negative] = [1, 2].map(|page| text_of_page(&words, page));
    Some(match letters(&negative) > letters(&picture) {
        true => negative,
        false => picture,
    })
}

fn is_kept(word: &Word<'_>) -> bool {
    word.confidence >= LEAST_CONFIDENCE && word.text.chars().any(char::is_alphanumeric)
}

fn text_of_page(words: &[Word<'_>], page: u32) -> String {
    let words: Vec<&Word<'_>> = words.iter().filter(|word| word.page == page).collect();
    let lines = words.chunk_by(|a, b| a.line == b.line).map(|words| {
        let mut line = String::new();
        words.iter().for_each(|word| join(&mut line, word.text));
        line
    });
    let mut text = String::new();
    lines
        .filter(|line| is_long_enough(line))
        .for_each(|line| join(&mut text, &line));
    text
}

fn letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

fn is_long_enough(line: &str) -> bool {
    letters(line) >= LEAST_LETTERS
        || line.chars().filter(|c| is_ideograph(*c)).count() >= LEAST_IDEOGRAPHS
}

/// A row's word; `Some(None)` for rows of pages, blocks and lines, `None` for what is no row.
fn word(row: &str) -> Option<Option<Word<'_>>> {
    /// The level of words.
    const WORD: &str = "5";
    // The text comes last and may be anything but a tab.
    let fields: Vec<&str> = row.splitn(12, '\t').collect();
    let &[
        level,
        page,
        block,
        paragraph,
        line,
        _,
        _,
        _,
        _,
        _,
        confidence,
        text,
    ] = fields.as_slice()
    else {
        return None;
    };
    if level != WORD {
        return Some(None);
    }
    let number = |field: &str| field.parse::<u32>().ok();
    Some(Some(Word {
        page: number(page)?,
        line: [number(block)?, number(paragraph)?, number(line)?],
        confidence: confidence.parse().ok()?,
        text: text.trim(),
    }))
}

/// Appends a word; Chinese, Japanese and Korean characters stand side by side without a space.
fn join(text: &mut String, word: &str) {
    let (last, first) = (text.chars().next_back(), word.chars().next());
    let is_spaced = match (last, first) {
        (Some(last), Some(first)) => !(is_ideograph(last) && is_ideograph(first)),
        _ => false,
    };
    if is_spaced {
        text.push(' ');
    }
    text.push_str(word);
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n";

    /// Words with page and line.
    fn table(words: &[(u32, u32, f32, &str)]) -> String {
        let mut table = HEAD.to_owned() + "1\t1\t0\t0\t0\t0\t0\t0\t640\t480\t-1\t\n";
        for (page, line, confidence, text) in words {
            table += &format!("5\t{page}\t1\t1\t{line}\t1\t0\t0\t9\t9\t{confidence}\t{text}\n");
        }
        table
    }

    fn text(words: &[(u32, u32, f32, &str)]) -> String {
        text_of(&table(words)).unwrap_or_else(|| "no table".to_owned())
    }

    #[test]
    fn words_and_lines_are_joined_with_single_spaces() {
        let words = [
            (1, 1, 96.0, "NOT"),
            (1, 1, 91.5, " RED:"),
            (1, 1, 90.0, "FAKE"),
            (1, 2, 88.0, "LIVE"),
        ];
        assert_eq!(text(&words), "NOT RED: FAKE LIVE");
    }

    #[test]
    fn unsure_words_signs_and_short_lines_are_dropped() {
        let words = [
            (1, 1, 69.9, "leaves"),
            (1, 1, 97.0, "\\"),
            (1, 2, 96.0, "4"),
            (1, 3, 96.0, "ee"),
            (1, 4, 70.0, "ok!"),
            (1, 5, 70.0, "yes"),
        ];
        assert_eq!(text(&words), "yes");
        assert_eq!(text(&[(1, 1, 95.0, " ")]), "");
        assert_eq!(text(&[]), "");
    }

    #[test]
    fn of_picture_and_negative_the_one_with_more_letters_counts() {
        let mut words = vec![
            (1, 1, 90.0, "NEWS"),
            (2, 1, 90.0, "CHANNEL"),
            (2, 1, 90.0, "NEWS"),
        ];
        assert_eq!(text(&words), "CHANNEL NEWS");
        words.push((1, 2, 90.0, "CHANNEL"));
        assert_eq!(text(&words), "NEWS CHANNEL", "of equal ones the picture");
    }

    #[test]
    fn chinese_characters_are_joined_without_spaces_and_latin_words_with() {
        let words = [
            (1, 1, 97.0, "转发"),
            (1, 1, 96.0, "前"),
            (1, 1, 90.0, "2013"),
            (1, 1, 90.0, "年"),
            (1, 2, 90.0, "非法"),
            (1, 3, 90.0, "一"),
        ];
        assert_eq!(text(&words), "转发前 2013 年非法");
    }

    #[test]
    fn a_word_may_hold_quotation_marks_and_what_is_no_table_is_told() {
        assert_eq!(text(&[(1, 1, 90.0, "\"so so")]), "\"so so");
        assert_eq!(text_of(""), None);
        assert_eq!(text_of("Usage: tesseract"), None);
        assert_eq!(text_of(&(HEAD.to_owned() + "5\t1\t1\n")), None);
        let no_number = table(&[(1, 1, 90.0, "okay")]).replace("90", "high");
        assert_eq!(text_of(&no_number), None);
    }
}
