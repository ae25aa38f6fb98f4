//! What each column is, and how the people in the file agreed to hear from us.

use crate::{
    api,
    components::{frame::viewer_may, *},
};
use domain::{
    attribute::{Attribute, AttributeForm},
    filter::AttributeKind,
    import::{ENCODINGS, Field as Target, ImportOptions, ImportView, Mapping, Policies, Policy, is_attribute_name},
    operator::Operation,
};
use leptos::prelude::*;

/// What a column can be, beside an attribute of any name.
const TARGETS: [(Target, &str); 8] = [
    (Target::Phone, "Phone number"),
    (Target::Name, "Name"),
    (Target::Locale, "Language"),
    (Target::Zone, "Time zone"),
    (Target::WhatsappId, "WhatsApp id"),
    (Target::ConsentSms, "Agreed to SMS (yes or no)"),
    (Target::ConsentWhatsapp, "Agreed to WhatsApp (yes or no)"),
    (Target::Topics, "Topics, separated by commas"),
];
/// The choice that stands for an attribute, whose name is entered beside it.
const ATTRIBUTE: &str = "attribute";
/// How many cells of a column are shown.
const CELLS_SHOWN: usize = 3;

/// What was chosen for one column.
#[derive(Clone, Copy)]
struct Column {
    /// A field's word, [`ATTRIBUTE`], or empty to leave it out.
    choice: RwSignal<String>,
    attribute: RwSignal<String>,
    /// What a cell does to a value that is there.
    policy: RwSignal<String>,
    /// The kind that an attribute is to be declared as; empty to leave it undeclared.
    kind: RwSignal<String>,
}

impl Column {
    fn new(target: Option<&Target>, policies: &Policies) -> Self {
        let policy = target.map(|target| policies.of(target)).unwrap_or_default();
        let (choice, attribute) = match target {
            None => (String::new(), String::new()),
            Some(Target::Attribute(name)) => (ATTRIBUTE.to_owned(), name.clone()),
            Some(target) => (target.to_string(), String::new()),
        };
        Self {
            choice: RwSignal::new(choice),
            attribute: RwSignal::new(attribute),
            policy: RwSignal::new(policy.to_string()),
            kind: RwSignal::default(),
        }
    }

    fn is_attribute(self) -> bool {
        *self.choice.read() == ATTRIBUTE
    }

    /// Whether the field may be there already, and so needs a policy.
    fn has_policy(self) -> bool {
        self.is_attribute() || matches!(self.choice.read().as_str(), "name" | "locale" | "zone")
    }

    fn name_problem(self) -> Option<String> {
        let wrong = self.is_attribute() && !is_attribute_name(&self.attribute.read());
        wrong.then(|| "Lower-case letters, digits and _, not beginning with a digit.".to_owned())
    }

    fn target(self) -> Option<Target> {
        if self.is_attribute() {
            Some(Target::Attribute(self.attribute.get()))
        } else {
            self.choice.read().parse().ok()
        }
    }
}

/// What is declared, once that is known.
type Declared = RwSignal<Option<Vec<Attribute>>>;

/// The form that lets a file be checked.
#[component]
pub fn MappingForm(import: ImportView, started: Callback<()>) -> impl IntoView {
    let id = import.id;
    let options = import.options;
    let columns: Vec<Column> = (0..import.columns.len())
        .map(|place| Column::new(options.mapping.columns.get(place).and_then(Option::as_ref), &options.policies))
        .collect();
    let columns = StoredValue::new(columns);
    let region = RwSignal::new(options.default_region.unwrap_or_default());
    let sms = RwSignal::new(options.sms_evidence);
    let whatsapp = RwSignal::new(options.whatsapp_evidence);
    let clear_mark = RwSignal::new(options.clear_mark);
    let repairs = StoredValue::new(options.repairs);
    let found = StoredValue::new(import.encoding.clone());
    let encoding = RwSignal::new(import.encoding.clone());
    let declared: Declared = RwSignal::new(None);
    // Asked for once the page lives: nothing that is shown first depends on it.
    let ask = Action::new(|(): &()| api::attributes::list());
    Effect::new(move || drop(ask.dispatch(())));
    Effect::new(move || {
        if let Some(Ok(found)) = ask.value().get() {
            declared.set(Some(found));
        }
    });
    let policies = move || {
        let chosen = columns.get_value().into_iter().filter(|column| column.has_policy());
        let named = chosen.filter_map(|column| Some((column.target()?, column.policy.get_untracked().parse().ok()?)));
        Policies(named.filter(|(_, policy)| *policy != Policy::Overwrite).map(|(to, p)| (to.to_string(), p)).collect())
    };
    let mapping =
        Memo::new(move |_| Mapping { columns: columns.get_value().into_iter().map(Column::target).collect() });
    let problem = Signal::derive(move || {
        let bad_name = columns.get_value().into_iter().find_map(Column::name_problem);
        bad_name.or_else(|| mapping.read().check().err().map(|error| error.to_string()))
    });
    let start = Action::new(move |(options, declare): &(ImportOptions, Vec<AttributeForm>)| {
        let (options, declare) = (options.clone(), declare.clone());
        async move {
            for form in declare {
                let made = api::attributes::create(form).await?;
                declared.update(|declared| declared.get_or_insert_default().push(made));
            }
            api::imports::check(id, options).await
        }
    });
    let to_declare = move || {
        let chosen = columns.get_value().into_iter().filter(|column| column.is_attribute());
        let forms = chosen.filter_map(|column| {
            let name = column.attribute.get_untracked();
            let is_new = kind_of(declared, &name).is_none();
            let kind = column.kind.get_untracked().parse().ok().filter(|_| is_new)?;
            Some(AttributeForm { name, kind, description: String::new() })
        });
        forms.collect::<Vec<_>>()
    };
    let failure = Signal::derive(move || start.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(_)) = start.value().get() {
            started.run(());
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let region = region.get_untracked().trim().to_uppercase();
        let encoding = encoding.get_untracked();
        let options = ImportOptions {
            default_region: (!region.is_empty()).then_some(region),
            mapping: mapping.get_untracked(),
            sms_evidence: sms.get_untracked(),
            whatsapp_evidence: whatsapp.get_untracked(),
            policies: untrack(policies),
            clear_mark: clear_mark.get_untracked(),
            repairs: repairs.get_value(),
            encoding: found.with_value(|found| *found != encoding).then_some(encoding),
        };
        start.dispatch((options, untrack(to_declare)));
    };
    let rows = import.columns.into_iter().enumerate().map(|(place, header)| {
        let cells: Vec<String> =
            import.sample.iter().filter_map(|row| row.get(place)).take(CELLS_SHOWN).cloned().collect();
        view! { <ColumnRow place header cells column=columns.with_value(|columns| columns[place]) declared /> }
    });
    let rows = rows.collect_view();
    view! {
        <form class="stack" on:submit=submit>
            <Card title="What is each column?" flush=true>
                <Table label="Columns" head=vec!["Column", "First rows", "Is", "Where someone has a value already"]>
                    {rows}
                </Table>
            </Card>
            <Card title="Letters">
                <Select label="The file's encoding" name="encoding" value=encoding choices=encodings(&import.encoding) />
                <p class="text-muted">
                    "Where names look wrong above, choose the encoding that the file was written in: the check then reads it so."
                </p>
            </Card>
            <Card title="Phone numbers">
                <TextInput
                    label="Country of numbers without a country code"
                    name="region"
                    value=region
                    placeholder="LK"
                    hint="Two letters, as LK, DE or US. Left empty, such numbers are refused rather than guessed."
                    error=field_error(failure, "default_region")
                />
            </Card>
            <Card title="Emptying values">
                <TextInput
                    label="A cell that holds this empties its field"
                    name="clear_mark"
                    value=clear_mark
                    placeholder="<clear>"
                    hint="An empty cell never takes a value away. Left empty, no cell does."
                    error=field_error(failure, "clear_mark")
                />
            </Card>
            <Card title="How did these people agree?">
                <div class="stack">
                    <Evidence
                        channel="SMS"
                        name="sms"
                        value=sms
                        has_column=Signal::derive(move || mapping.read().columns.contains(&Some(Target::ConsentSms)))
                    />
                    <Evidence
                        channel="WhatsApp"
                        name="whatsapp"
                        value=whatsapp
                        has_column=Signal::derive(move || {
                            mapping.read().columns.contains(&Some(Target::ConsentWhatsapp))
                        })
                    />
                    <p class="text-muted">
                        "Whoever opted out before stays opted out: a file cannot bring them back. What you write here is kept in the ledger of every person it is used for."
                    </p>
                </div>
            </Card>
            <p class="field-error" role="status">
                {move || problem.get()}
            </p>
            <FailureNote failure />
            <div class="actions">
                <Button
                    kind=ButtonKind::Primary
                    submit=true
                    pending=start.pending()
                    disabled=Signal::derive(move || problem.get().is_some())
                >
                    "Check the file"
                </Button>
            </div>
        </form>
    }
}

#[component]
fn ColumnRow(place: usize, header: String, cells: Vec<String>, column: Column, declared: Declared) -> impl IntoView {
    let may_declare = viewer_may(Operation::ContentWrite);
    let option = move |value: String, words: &'static str| {
        let selected = *column.choice.read_untracked() == value;
        view! {
            <option value=value selected=selected>
                {words}
            </option>
        }
    };
    let targets = TARGETS.iter().map(|(target, words)| option(target.to_string(), words)).collect_view();
    let cells = cells.into_iter().map(|cell| view! { <li class="truncate">{cell}</li> }).collect_view();
    let policies = move || {
        let option = |policy: &Policy| {
            let selected = *column.policy.read_untracked() == policy.as_str();
            view! {
                <option value=policy.as_str() selected=selected>
                    {policy.label()}
                </option>
            }
        };
        Policy::ALL.iter().map(option).collect_view()
    };
    view! {
        <tr>
            <td data-label="Column">
                <label for=format!("column-{place}") class="font-semibold">
                    {header}
                </label>
            </td>
            <td data-label="First rows">
                <ul class="cells text-muted">{cells}</ul>
            </td>
            <td data-label="Is">
                <div class="stack-tight">
                    <select
                        class="input"
                        id=format!("column-{place}")
                        on:change:target=move |event| column.choice.set(event.target().value())
                    >
                        {option(String::new(), "Leave out")}
                        {targets}
                        {option(ATTRIBUTE.to_owned(), "An attribute named…")}
                    </select>
                    <Show when=move || column.is_attribute()>
                        <TextInput
                            label="Attribute"
                            name=format!("attribute-{place}")
                            value=column.attribute
                            error=Signal::derive(move || column.name_problem())
                        />
                        {move || kind_choice(place, column, declared, may_declare.get())}
                    </Show>
                </div>
            </td>
            <td data-label="Where someone has a value already">
                <Show when=move || column.has_policy()>
                    <select
                        class="input"
                        id=format!("policy-{place}")
                        aria-label=format!("Column {}: where someone has a value already", place + 1)
                        on:change:target=move |event| column.policy.set(event.target().value())
                    >
                        {policies()}
                    </select>
                </Show>
            </td>
        </tr>
    }
}

/// The kind that an attribute is declared as.
fn kind_of(declared: Declared, name: &str) -> Option<AttributeKind> {
    let declared = declared.read();
    declared.as_ref()?.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.kind)
}

/// What an attribute is declared as, or a choice of what to declare it as.
fn kind_choice(place: usize, column: Column, declared: Declared, may_declare: bool) -> AnyView {
    if let Some(kind) = kind_of(declared, &column.attribute.read()) {
        return view! { <p class="text-muted">{format!("Declared: {}", kind.label())}</p> }.into_any();
    }
    if !may_declare || declared.read().is_none() {
        return ().into_any();
    }
    let kinds = AttributeKind::ALL.iter().map(|kind| (kind.to_string(), format!("Declare as: {}", kind.label())));
    let choices = std::iter::once((String::new(), "Leave undeclared".to_owned())).chain(kinds).collect::<Vec<_>>();
    view! { <Select label="Kind" name=format!("kind-{place}") value=column.kind choices /> }.into_any()
}

/// The encodings to choose from, with the one that the file is read in.
fn encodings(found: &str) -> Vec<(String, String)> {
    let others = ENCODINGS.iter().filter(|name| **name != found).map(|name| (*name).to_owned());
    std::iter::once(found.to_owned()).chain(others).map(|name| (name.clone(), name)).collect()
}

/// The statement of evidence for one channel, with what comes of leaving it out.
#[component]
fn Evidence(
    channel: &'static str,
    name: &'static str,
    value: RwSignal<String>,
    has_column: Signal<bool>,
) -> impl IntoView {
    let effect = move || match (value.read().trim().is_empty(), has_column.get()) {
        (false, false) => format!("Everyone in the file is opted in to {channel} on this evidence."),
        (false, true) => {
            format!("Those whose column says yes, or says nothing, are opted in to {channel} on this evidence.")
        }
        (true, true) => format!("Only those whose column says yes are opted in to {channel}."),
        (true, false) => format!(
            "Nobody is opted in to {channel}: new people in this file get no {channel} campaigns until they agree."
        ),
    };
    view! {
        <TextArea
            label=format!("Evidence of consent to {channel}")
            name=format!("{name}_evidence")
            value
            rows=2
            placeholder="Ticked the box at checkout, form of 3 March 2026"
            hint=Signal::derive(effect)
        />
    }
}
