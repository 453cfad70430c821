//! Pages: how many items one has, and where the next begins.
use icn_api::{DEFAULT_PAGE, MAX_PAGE};

/// Items of a page, by what the caller asked for; never none, so that every page gets on.
pub(super) fn size(limit: Option<usize>) -> usize {
    limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE)
}

/// Cuts `items`, of which one more than a page was read, to `size`; gives the cursor if there are more.
pub(super) fn cut<T, C>(items: &mut Vec<T>, size: usize, cursor: impl Fn(&T) -> C) -> Option<C> {
    let more = items.len() > size;
    items.truncate(size);
    if more { items.last().map(cursor) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bounded() {
        assert_eq!(
            [None, Some(0), Some(7), Some(usize::MAX)].map(size),
            [DEFAULT_PAGE, 1, 7, MAX_PAGE]
        );
    }

    #[test]
    fn a_cursor_is_given_only_if_there_are_more() {
        let mut items = vec![1, 2, 3];
        assert_eq!(cut(&mut items, 3, |item| *item), None);
        assert_eq!(cut(&mut items, 2, |item| *item), Some(2));
        assert_eq!(items, [1, 2]);
    }
}
