//! Looks that are repeated until two in a row are equal: EC2 may show an earlier state, and that even
//! after a later one (I5). All of them are kept as evidence.

use std::time::Duration;

use lab::Lab;
use lab::ec2::{Answer, ReadError};

use crate::context::{Context, How};
use crate::observe::Fact;

/// For how long looks may go on to differ.
const LIMIT: Duration = Duration::from_mins(1);

/// The looks that were made at one thing, in their order.
pub struct EqualLooks<T> {
    first: Result<Answer<T>, ReadError>,
    later: Vec<Result<Answer<T>, ReadError>>,
}

/// Looks until two looks in a row are equal, or the limit; once where that is enough, as where the second
/// look is made later. What could not be read is not looked at again: the reader has repeated it.
pub async fn look_until_equal_unless<T: PartialEq>(
    lab: &Lab,
    look: impl AsyncFn() -> Result<Answer<T>, ReadError>,
    is_enough: impl Fn(&T) -> bool,
) -> EqualLooks<T> {
    let since = lab.clock.stopwatch();
    let mut looks = EqualLooks { first: look().await, later: Vec::new() };
    if looks.first.as_ref().is_ok_and(|answer| is_enough(&answer.value)) {
        return looks;
    }
    while looks.last().is_ok() && !looks.settled() && since.elapsed() < LIMIT {
        lab.clock.sleep(lab.pause_between_looks()).await;
        looks.later.push(look().await);
    }
    looks
}

impl<T: PartialEq> EqualLooks<T> {
    /// The last look.
    pub fn last(&self) -> &Result<Answer<T>, ReadError> {
        self.later.last().unwrap_or(&self.first)
    }

    /// Whether the last look is equal to the one before it.
    fn settled(&self) -> bool {
        let before = match self.later.as_slice() {
            [] => return false,
            [_] => &self.first,
            [.., before, _] => before,
        };
        matches!((before, self.last()), (Ok(before), Ok(last)) if before.value == last.value)
    }

    /// Keeps the answers of all looks, and answers with what the last one saw; not known where no
    /// two in a row were equal.
    pub fn keep(self, ctx: &mut Context<'_>) -> Fact<T> {
        let (equal, once) = (self.settled(), self.later.is_empty());
        let mut how = How::default();
        let mut fact = Err(String::new());
        for look in std::iter::once(self.first).chain(self.later) {
            match look {
                Ok(answer) => {
                    how = how.and(ctx.seen(&answer));
                    fact = Ok(answer.value);
                }
                Err(error) => {
                    how = how.and(ctx.seen_error(&error));
                    fact = Err(error.to_string());
                }
            }
        }
        match fact {
            Ok(value) if equal || once => Ok((value, how)),
            Ok(_) => {
                let seconds = LIMIT.as_secs();
                let why = format!("no two looks in a row were equal within {seconds} s");
                Err((why, how))
            }
            Err(why) => Err((why, how)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use reports::redact::Form;

    use super::*;
    use crate::example::judge_as_scenario;

    fn answer(value: u32) -> Answer<u32> {
        let (call, raw) = ("ec2 Describe".to_owned(), vec![value.to_string().into_bytes()]);
        Answer { value, call, raw, form: Form::Text, attempts: 1 }
    }

    /// A look that differs from the one before it proves nothing, and neither does one alone.
    #[test]
    fn what_two_looks_in_a_row_see_is_so() {
        let table: [(&[u32], Option<u32>, usize); 5] = [
            (&[1, 1], Some(1), 2),
            (&[1, 2, 2], Some(2), 3),
            (&[1, 2, 1, 1], Some(1), 4),
            (&[7, 7], Some(7), 1),
            (&[1, 2, 1, 2, 1, 2, 1, 2, 1, 2], None, 7),
        ];
        for (seen, expected, looks) in table {
            judge_as_scenario("eni-address", async |lab, ctx| {
                let next = Cell::new(0);
                let look = async || {
                    next.set(next.get() + 1);
                    Ok(answer(seen[next.get() - 1]))
                };
                let came = look_until_equal_unless(lab, look, |value| *value == 7).await;
                let fact = came.keep(ctx);
                assert_eq!(next.get(), looks, "{seen:?}");
                assert_eq!(fact.ok().map(|(value, _)| value), expected, "{seen:?}");
            });
        }
    }
}
