// The filter language of `vudissect filters`, without fields of the payload: a test compares it with the original.
"use strict";
const compileFilter = (() => {
  const WORDS = new Set(["and", "or", "not"]);
  const SIGNS = ["=", "!=", "<", "<=", ">", ">="];
  const TIMES = { ns: 1n, us: 1000n, ms: 1000000n, s: 1000000000n };
  const SIZES = { "": 0n, k: 10n, m: 20n, g: 30n, t: 40n };
  const SIDES = { "front-end": 0, "back-end": 1, proxy: 2, frontend: 0, backend: 1, master: 0, slave: 1 };
  const CHANNELS = { main: 0, backend: 1, gpu: 2, slave: 1 };
  const KINDS = { request: 0, reply: 1, ack: 2, event: 3, malformed: 4 };
  const SEVERITIES = { info: 0, compat: 1, warning: 2, error: 3 };
  const BLAMES = { "front-end": "front-end", "back-end": "back-end", both: "both", unknown: "unknown" };
  const DEEPEST = 50;

  const findings = (row, about) => row.findings.map((place) => about.findings[place]);
  const KEYS = {
    ring: [(row) => row.rings, number],
    from: [(row) => [row.sender], word(SIDES)],
    channel: [(row) => [row.channel], word(CHANNELS)],
    kind: [(row) => [row.kind], word(KINDS)],
    connection: [(row) => [row.connection], number],
    frame: [(row) => [row.frame], number],
    elapsed: [(row) => [row.elapsed], duration],
    latency: [(row) => (row.latency < 0 ? [] : [row.latency]), duration],
    severity: [(row, about) => findings(row, about).map((each) => SEVERITIES[each.severity]), word(SEVERITIES, true)],
    rule: [(row, about) => findings(row, about).map((each) => each.rule), rule],
    blame: [(row, about) => findings(row, about).map((each) => each.blame), word(BLAMES)],
  };

  function number(text) {
    const match = /^(-?)(0x[0-9a-f]{1,16}|[0-9]{1,20})([kmgt]?)$/i.exec(text);
    if (!match) throw new Error(`expected a number, not ${text}`);
    const value = BigInt(match[2]) << SIZES[match[3].toLowerCase()];
    return match[1] ? -value : value;
  }

  function duration(text) {
    const match = /^([0-9]{1,12})(?:\.([0-9]{1,9}))?(ns|us|ms|s)$/.exec(text);
    if (!match) throw new Error(`expected a time and its unit (ns, us, ms, s), not ${text}`);
    const [, whole, decimals = "", unit] = match;
    return BigInt(whole) * TIMES[unit] + (BigInt(decimals || "0") * TIMES[unit]) / 10n ** BigInt(decimals.length);
  }

  function word(words, ordered = false) {
    return (text, sign, name) => {
      const key = text.toLowerCase();
      if (!Object.hasOwn(words, key)) throw new Error(`unknown ${name}: ${text}; known: ${Object.keys(words).join(", ")}`);
      if (!ordered) needsEquality(sign, name);
      return words[key];
    };
  }

  function rule(text, sign, name, about) {
    needsEquality(sign, name);
    const id = text.toUpperCase().replace(/-+$/, "");
    const title = text.toLowerCase().replaceAll("_", "-");
    const wanted = new Set();
    for (const [each, its] of Object.entries(about.rules)) {
      if (each === id || each.startsWith(`${id}-`) || its === title) wanted.add(each);
    }
    return { has: (value) => wanted.has(value) };
  }

  function needsEquality(sign, name) {
    if (sign !== "=" && sign !== "!=") throw new Error(`${name} has no order: compare it with = or !=`);
  }

  const equal = (value, wanted) => (typeof wanted === "object" ? wanted.has(value) : value == wanted);
  function compare(values, sign, wanted) {
    const holds = {
      "=": (value) => equal(value, wanted),
      "<": (value) => value < wanted,
      "<=": (value) => value <= wanted,
      ">": (value) => value > wanted,
      ">=": (value) => value >= wanted,
    }[sign];
    return (row, about) => {
      const found = values(row, about);
      if (sign === "!=") return found.length > 0 && !found.some((value) => equal(value, wanted));
      return found.some(holds);
    };
  }

  function message(text, about) {
    let wanted = text.toUpperCase();
    if (/^[0-9]+$/.test(text)) {
      const id = String(BigInt(text));
      return (row) => row.name !== "" && about.names[row.name][0] === id;
    }
    for (const prefix of about.prefixes) {
      if (wanted.startsWith(prefix)) {
        wanted = wanted.slice(prefix.length);
        break;
      }
    }
    const pattern = glob(wanted);
    const matching = new Set(
      Object.keys(about.names).filter((name) => about.names[name].slice(1).some((spelling) => pattern.test(spelling))),
    );
    return (row) => matching.has(row.name);
  }

  function glob(text) {
    const escaped = text.replace(/[.+^${}()|\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
    try {
      return new RegExp(`^(?:${escaped.replaceAll("[!", "[^")})$`, "s");
    } catch {
      return { test: (name) => name === text };
    }
  }

  return (text, about) => {
    const tokens = Array.from(text.matchAll(/\s*([<>!]=|[=<>!()]|[^\s=<>!()]+)/g), (match) => match[1]);
    let next = 0;
    let depth = 0;
    const token = () => tokens[next] ?? "";
    const takes = (...words) => words.includes(token().toLowerCase()) && ++next > 0;
    const list = (join, part, method) => {
      const parts = [part()];
      while (takes(join)) parts.push(part());
      return parts.length === 1 ? parts[0] : (row) => parts[method]((each) => each(row, about));
    };
    const either = () => list("or", both, "some");
    const both = () => list("and", one, "every");

    function one() {
      let negated = false;
      while (takes("not", "!")) negated = !negated;
      const test = token() === "(" ? group() : comparison();
      return negated ? (row) => !test(row, about) : test;
    }

    function group() {
      next++;
      if (++depth > DEEPEST) throw new Error(`more than ${DEEPEST} parentheses are open`);
      const test = either();
      if (!takes(")")) throw new Error("a parenthesis is not closed");
      depth--;
      return test;
    }

    function take(expected) {
      const taken = token();
      if (!taken || "()!".includes(taken) || SIGNS.includes(taken) || WORDS.has(taken.toLowerCase())) {
        throw new Error(`expected ${expected}, not ${taken || "the end"}`);
      }
      next++;
      return taken;
    }

    function comparison() {
      const name = take("a message, has: or a comparison");
      const key = name.toLowerCase();
      if (SIGNS.includes(token())) {
        const sign = tokens[next++];
        const value = take(`a value for ${name}`);
        if (!Object.hasOwn(KEYS, key)) {
          throw new Error(`${name}: this page cannot filter by fields of messages; vudissect show --filter can`);
        }
        const [values, parse] = KEYS[key];
        return compare(values, sign, parse(value, sign, name, about));
      }
      if (key === "has:finding") return (row) => row.findings.length > 0;
      if (key === "has:fd") return (row) => row.hasDescriptors;
      if (key.startsWith("has:")) throw new Error(`unknown thing to have: ${name.slice(4)}; known: finding, fd`);
      if (Object.hasOwn(KEYS, key)) throw new Error(`${name} needs an operator and a value: ${name}=...`);
      return message(name, about);
    }

    const test = either();
    if (token()) throw new Error(`expected and, or, or the end, not ${token()}`);
    return (row) => test(row, about);
  };
})();
