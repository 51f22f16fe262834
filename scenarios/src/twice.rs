//! Looks that are repeated until two in a row agree: EC2 may show an earlier state, and that even after a
//! later one (I5). All of them are kept as evidence.

use std::time::Duration;

use lab::Lab;
use lab::ec2::{Answer, ReadError};

use crate::context::{Context, How};
use crate::observe::Fact;

/// How often and for how long somebody looks again.
#[derive(Clone, Copy, Debug)]
pub struct LookPace {
    pub pause: Duration,
    /// For how long looks may go on to differ.
    pub limit: Duration,
}

impl LookPace {
    /// For what EC2 may show later: a read that lags behind lags for long.
    pub fn at_leisure(lab: &Lab) -> Self {
        Self { pause: lab.pause_between_looks(), limit: Duration::from_mins(1) }
    }
}

/// The looks that were made at one thing, in their order.
pub struct LooksInARow<L> {
    pub first: L,
    pub later: Vec<L>,
}

impl<L> LooksInARow<L> {
    /// The last look.
    pub fn last(&self) -> &L {
        self.later.last().unwrap_or(&self.first)
    }

    /// The last look, and the one before it.
    pub fn last_two(&self) -> (Option<&L>, &L) {
        match self.later.as_slice() {
            [] => (None, &self.first),
            [last] => (Some(&self.first), last),
            [.., before, last] => (Some(before), last),
        }
    }
}

impl<L> IntoIterator for LooksInARow<L> {
    type Item = L;
    type IntoIter = std::iter::Chain<std::iter::Once<L>, std::vec::IntoIter<L>>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self.first).chain(self.later)
    }
}

/// Looks until a look is enough, beside the one before it if there is one, or until the limit is over.
pub async fn look_until<L>(
    lab: &Lab,
    pace: LookPace,
    mut look: impl AsyncFnMut() -> L,
    is_enough: impl Fn(Option<&L>, &L) -> bool,
) -> LooksInARow<L> {
    let since = lab.clock.stopwatch();
    let mut looks = LooksInARow { first: look().await, later: Vec::new() };
    loop {
        let (before, last) = looks.last_two();
        if is_enough(before, last) || since.elapsed() >= pace.limit {
            return looks;
        }
        lab.clock.sleep(pace.pause).await;
        looks.later.push(look().await);
    }
}

/// Looks of which two in a row are equal, if the limit allowed.
pub type EqualLooks<T> = LooksInARow<Result<Answer<T>, ReadError>>;

/// Looks until two looks in a row are equal, or the limit; once where that is enough, as where the second
/// look is made later. What could not be read is not looked at again: the reader has repeated it.
pub async fn look_until_equal_unless<T: PartialEq>(
    lab: &Lab,
    look: impl AsyncFnMut() -> Result<Answer<T>, ReadError>,
    is_enough: impl Fn(&T) -> bool,
) -> EqualLooks<T> {
    look_until(lab, LookPace::at_leisure(lab), look, |before, last| match (before, last) {
        (_, Err(_)) => true,
        (None, Ok(last)) => is_enough(&last.value),
        (Some(before), _) => are_equal(Some(before), last),
    })
    .await
}

fn are_equal<T: PartialEq>(
    before: Option<&Result<Answer<T>, ReadError>>,
    last: &Result<Answer<T>, ReadError>,
) -> bool {
    matches!((before, last), (Some(Ok(before)), Ok(last)) if before.value == last.value)
}

impl<T: PartialEq> EqualLooks<T> {
    /// Keeps the answers of all looks, and answers with what the last one saw; not known where no
    /// two in a row were equal.
    pub fn keep(self, lab: &Lab, ctx: &mut Context<'_>) -> Fact<T> {
        let (before, last) = self.last_two();
        let (equal, once) = (are_equal(before, last), before.is_none());
        let mut how = How::default();
        let mut fact = Err(String::new());
        for look in self {
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
                let seconds = LookPace::at_leisure(lab).limit.as_secs();
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
                let fact = came.keep(lab, ctx);
                assert_eq!(next.get(), looks, "{seen:?}");
                assert_eq!(fact.ok().map(|(value, _)| value), expected, "{seen:?}");
            });
        }
    }
}
