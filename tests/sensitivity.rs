//! Every check can fail (I8): each fault turns exactly what is listed for it.

use lab_smoke_tests::parallel;
use lab_smoke_tests::sensitivity::cases;

#[test]
fn each_fault_turns_exactly_what_is_listed_for_it() {
    let cases = cases();
    let complaints: Vec<String> = parallel::map(&cases, |case| {
        let (given, ran) = case.run();
        let expected = case.expected();
        (given != expected).then(|| {
            format!(
                "{}\n  expected {expected:?}\n  given    {given:?}\n  {:?}",
                case.name(),
                ran.judgement.reasons
            )
        })
    })
    .into_iter()
    .flatten()
    .collect();
    assert!(
        complaints.is_empty(),
        "{} of {}:\n{}",
        complaints.len(),
        cases.len(),
        complaints.join("\n")
    );
}
