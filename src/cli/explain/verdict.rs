//! What would become of the request, by the code that decides requests.

use super::super::CliError;
use crate::domain::{ResourceKey, Whose};
use crate::policy::{
    Authentication, Body, Decision, Denial, Facts, Inquiry, KnownObjects, Lookup, Permit, Question,
    check_content, decide, screen,
};
use crate::proxy::OwnerSearch;

/// What would become of it.
pub(super) struct Verdict {
    outcome: Outcome,
    /// The objects that it names and, where that was asked, whose they are.
    objects: Vec<(ResourceKey, Option<Whose>)>,
}

enum Outcome {
    Decided(Box<Decision>),
    /// It depends on what only a backend knows: whose an object is, or whether it shows it.
    Undecided(Box<Facts>),
}

impl Verdict {
    /// Goes the way of a request: what can be refused at once, then the objects that it names,
    /// then their owners, then the decision.
    pub(super) async fn of(
        question: Question<'_>,
        body: Option<&Body>,
        search: &OwnerSearch,
        ask: bool,
    ) -> Result<Self, CliError> {
        if let Err(refused) = screen(&question) {
            return Ok(Self::denied(refused.0, refused.1));
        }
        let mut inquiry = match Inquiry::of(&question, body) {
            Ok(inquiry) => inquiry,
            Err(denial) => return Ok(Self::denied(denial, facts(&question))),
        };
        let named = search.find(inquiry.name_keys()).await;
        if let Err(denial) = inquiry.choose(&question, &named.map_err(CliError::failed)?) {
            return Ok(Self::denied(denial, facts(&question)));
        }
        let keys = inquiry.keys().to_vec();
        let may_ask = |key: &&ResourceKey| ask || !search.asks(key);
        let told: Vec<ResourceKey> = keys.iter().filter(may_ask).cloned().collect();
        let owners = search.find(&told).await.map_err(CliError::failed)?;
        if told.len() < keys.len() {
            return Ok(Self::undecided(&question, body, keys, (told, owners)));
        }
        let objects = keys.into_iter().zip(owners.iter().cloned().map(Some));
        let objects = objects.collect();
        let asked = inquiry.take_asked();
        let known = inquiry.answered(owners);
        let outcome = match decided(question, body, &known) {
            // The backend would be asked in the caller's name, and only the gateway has that.
            Decision::Permitted(permit) if !asked.is_empty() => {
                Outcome::Undecided(Box::new(permit.into_facts()))
            }
            decision => Outcome::Decided(Box::new(decision)),
        };
        Ok(Self { outcome, objects })
    }

    fn denied(denial: Denial, facts: Facts) -> Self {
        Self {
            outcome: Outcome::Decided(Box::new(Decision::Denied(denial, facts))),
            objects: Vec::new(),
        }
    }

    /// What may not be sent at all is refused whosever the objects are.
    fn undecided(
        question: &Question<'_>,
        body: Option<&Body>,
        keys: Vec<ResourceKey>,
        (told, owners): (Vec<ResourceKey>, Vec<Whose>),
    ) -> Self {
        let whose = |key: &ResourceKey| {
            let place = told.iter().position(|it| it == key)?;
            owners.get(place).cloned()
        };
        let objects = keys.into_iter().map(|key| (whose(&key), key));
        let objects = objects.map(|(whose, key)| (key, whose)).collect();
        let facts = facts(question);
        let outcome = match check_content(question, body) {
            Ok(()) => Outcome::Undecided(Box::new(facts)),
            Err(denial) => Outcome::Decided(Box::new(Decision::Denied(denial, facts))),
        };
        Self { outcome, objects }
    }

    pub(super) const fn is_undecided(&self) -> bool {
        matches!(self.outcome, Outcome::Undecided(_))
    }

    pub(super) fn objects(&self) -> &[(ResourceKey, Option<Whose>)] {
        &self.objects
    }

    pub(super) fn facts(&self) -> &Facts {
        match &self.outcome {
            Outcome::Undecided(facts) => facts,
            Outcome::Decided(decision) => match &**decision {
                Decision::Permitted(permit) => permit.facts(),
                Decision::Denied(_, facts) => facts,
            },
        }
    }

    pub(super) fn permit(&self) -> Option<&Permit> {
        match &self.outcome {
            Outcome::Decided(decision) => match &**decision {
                Decision::Permitted(permit) => Some(permit),
                Decision::Denied(..) => None,
            },
            Outcome::Undecided(_) => None,
        }
    }

    pub(super) fn denial(&self) -> Option<&Denial> {
        match &self.outcome {
            Outcome::Decided(decision) => match &**decision {
                Decision::Denied(denial, _) => Some(denial),
                Decision::Permitted(_) => None,
            },
            Outcome::Undecided(_) => None,
        }
    }
}

fn decided(question: Question<'_>, body: Option<&Body>, known: &KnownObjects) -> Decision {
    let question = Question {
        objects: Some(known.named()),
        ..question
    };
    match decide(&question) {
        Decision::Permitted(permit) => match check_content(&question, body) {
            Ok(()) => Decision::Permitted(permit),
            Err(denial) => Decision::Denied(denial, permit.into_facts()),
        },
        denied @ Decision::Denied(..) => denied,
    }
}

fn facts(question: &Question<'_>) -> Facts {
    let mut facts = Facts::default();
    if let Lookup::Found { route, .. } = &question.lookup {
        facts.route = Some((*route).clone());
    }
    if let Authentication::Authenticated(subject) = question.authentication {
        facts.subject = Some(subject.clone());
    }
    facts
}
