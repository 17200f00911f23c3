// A question as the page holds it, as its address carries it, and as the API takes it.
//
// In an address, `q` is the first thing to show, `and` the others, `not` what must not be shown. `then` begins a later
// step, whose own parts are `and1`, `not1`, `within1`, and so on. `none=1` asks where nothing matches. A part of another kind than text has a prefix, as in
// "like:144bec235d5b1cc0@12.84".

/** @typedef {{text: string}|{like: string, at: number}|{image: string}|{clip: string}} Term */
/** @typedef {{shows: Term[], without: Term[], within: number|null}} Step */

const LISTS = { videos: "video", labels: "label", not_labels: "nolabel" };
const TEXTS = { time_of_day: "hours", recorded_from: "from", recorded_to: "to" };
const NUMBERS = { after: "after", before: "before", per_video: "pervideo", min_score: "min" };
const PREFIXED = /^(like|image|clip|text):/;

export class Question {
  constructor() {
    /** @type {Step[]} */
    this.steps = [newStep()];
    this.where = {};
    for (const name of Object.keys(LISTS)) this[name] = [];
    for (const name of [...Object.keys(TEXTS), ...Object.keys(NUMBERS)]) this[name] = null;
    /** Whether it asks where nothing matches. */
    this.none = false;
  }

  /** Whether it asks for nothing. */
  get isEmpty() {
    return this.steps.every((step) => step.shows.length === 0);
  }

  /** Whether it is limited to some videos or times. */
  get hasFilters() {
    const { min_score: _, ...numbers } = NUMBERS;
    return (
      Object.keys(this.where).length > 0 ||
      Object.keys(LISTS).some((name) => this[name].length > 0) ||
      [...Object.keys(TEXTS), ...Object.keys(numbers)].some((name) => this[name] !== null)
    );
  }

  /** Read a question from the parameters of an address; what cannot be read is left out. */
  static ofParameters(parameters) {
    const question = new Question();
    question.steps = [stepOf(parameters, "q", "")];
    parameters.getAll("then").forEach((first, index) => {
      question.steps.push(stepOf(parameters, null, String(index + 1), first));
    });
    for (const entry of parameters.getAll("where")) {
      const at = entry.indexOf("=");
      if (at > 0) question.where[entry.slice(0, at)] = entry.slice(at + 1);
    }
    for (const [name, key] of Object.entries(LISTS)) question[name] = parameters.getAll(key).filter(Boolean);
    for (const [name, key] of Object.entries(TEXTS)) question[name] = parameters.get(key) || null;
    for (const [name, key] of Object.entries(NUMBERS)) question[name] = numberOf(parameters.get(key));
    question.none = parameters.get("none") === "1";
    return question;
  }

  /** Read a question as the API gives it; null if the page has no place for a part of it. */
  static ofJson(json) {
    const question = new Question();
    const { shows, without, then, where, none, top: _top, page: _page, ...rest } = json;
    question.steps = [{ shows, without, then: null }, ...(then ?? [])].map((step) => ({
      shows: [step.shows].flat().map(termOf),
      without: [step.without ?? []].flat().map(termOf),
      within: step.within ?? null,
    }));
    Object.assign(question.where, where);
    question.none = none === true;
    const isKnown = Object.entries(rest).every(([name, value]) => {
      if (name in LISTS) question[name] = [value].flat();
      else if (name in TEXTS || name in NUMBERS) question[name] = value;
      return name in LISTS || name in TEXTS || name in NUMBERS;
    });
    const terms = question.steps.flatMap((step) => [...step.shows, ...step.without]);
    return isKnown && terms.every(Boolean) ? question : null;
  }

  /** Write it as parameters of an address. */
  toParameters() {
    const parameters = new URLSearchParams();
    this.steps.forEach((step, index) => {
      const suffix = index === 0 ? "" : String(index);
      const [first, ...others] = step.shows;
      if (first !== undefined || index > 0) parameters.append(index === 0 ? "q" : "then", first ? encoded(first) : "");
      for (const term of others) parameters.append(`and${suffix}`, encoded(term));
      for (const term of step.without) parameters.append(`not${suffix}`, encoded(term));
      if (step.within !== null) parameters.append(`within${suffix}`, String(step.within));
    });
    for (const [key, value] of Object.entries(this.where)) parameters.append("where", `${key}=${value}`);
    for (const [name, key] of Object.entries(LISTS)) this[name].forEach((value) => parameters.append(key, value));
    for (const [name, key] of Object.entries({ ...TEXTS, ...NUMBERS })) {
      if (this[name] !== null) parameters.append(key, String(this[name]));
    }
    if (this.none) parameters.append("none", "1");
    return parameters;
  }

  /**
   * Write it as the API takes it.
   *
   * @param {{top?: number, page?: number, metadata?: Object<string, unknown[]>}} [more] Length and number of the page,
   *   and the known values of metadata, whose types the question takes over.
   */
  toJson({ top, page, metadata = {} } = {}) {
    const [first, ...later] = this.steps.filter((step) => step.shows.length > 0);
    const json = { shows: first.shows, top, page };
    if (first.without.length) json.without = first.without;
    if (later.length) json.then = later.map(stepJson);
    const where = Object.entries(this.where).map(([key, value]) => [key, typed(value, metadata[key])]);
    if (where.length) json.where = Object.fromEntries(where);
    for (const name of Object.keys(LISTS)) if (this[name].length) json[name] = this[name];
    for (const name of [...Object.keys(TEXTS), ...Object.keys(NUMBERS)]) {
      if (this[name] !== null) json[name] = this[name];
    }
    if (this.none) json.none = true;
    return json;
  }

  /** Copy it. */
  copy() {
    return Question.ofParameters(this.toParameters());
  }
}

/** Name of the concept that a term stands for; null if it stands for none. */
export function conceptOf(term) {
  return /^\s*concept:(\S+)\s*$/.exec(term.text ?? "")?.[1] ?? null;
}

/** Make an empty step. */
export function newStep() {
  return { shows: [], without: [], within: null };
}

function stepJson(step) {
  const json = { shows: step.shows };
  if (step.without.length) json.without = step.without;
  if (step.within !== null) json.within = step.within;
  return json;
}

function stepOf(parameters, firstKey, suffix, first = parameters.get(firstKey) ?? "") {
  const step = newStep();
  step.shows = [first, ...parameters.getAll(`and${suffix}`)].map(decoded).filter(Boolean);
  step.without = parameters.getAll(`not${suffix}`).map(decoded).filter(Boolean);
  const within = suffix === "" ? null : numberOf(parameters.get(`within${suffix}`));
  step.within = within !== null && within > 0 ? within : null;
  return step;
}

/** Take a term of the API's; null if the page cannot show it. */
function termOf(term) {
  if (typeof term === "string") return { text: term };
  if (term.text !== undefined) return { text: term.text };
  if (term.concept !== undefined) return { text: `concept:${term.concept}` };
  if (term.like !== undefined && term.at !== undefined) return { like: term.like, at: term.at };
  if (term.image !== undefined) return { image: term.image };
  return term.clip !== undefined && term.start === undefined && term.end === undefined ? { clip: term.clip } : null;
}

function encoded(term) {
  if (term.like !== undefined) return `like:${term.like}@${term.at}`;
  if (term.image !== undefined) return `image:${term.image}`;
  if (term.clip !== undefined) return `clip:${term.clip}`;
  return PREFIXED.test(term.text) ? `text:${term.text}` : term.text;
}

function decoded(value) {
  const kind = PREFIXED.exec(value)?.[1];
  const rest = kind ? value.slice(kind.length + 1) : value;
  if (kind === "like") {
    const at = rest.lastIndexOf("@");
    const seconds = numberOf(rest.slice(at + 1));
    return at > 0 && seconds !== null ? { like: rest.slice(0, at), at: seconds } : null;
  }
  if (kind === "image" || kind === "clip") return rest ? { [kind]: rest } : null;
  return rest.trim() ? { text: rest.trim() } : null;
}

function numberOf(value) {
  const number = value === null || value.trim() === "" ? NaN : Number(value);
  return Number.isFinite(number) && number >= 0 ? number : null;
}

/** Metadata can be numbers and truth values; an address has only texts. */
function typed(value, known = []) {
  const same = known.find((one) => String(one) === String(value));
  if (same !== undefined) return same;
  const isNumber = known.length > 0 && known.every((one) => typeof one === "number") && Number.isFinite(Number(value));
  return isNumber ? Number(value) : value;
}
