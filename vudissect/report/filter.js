// The filter language of `vudissect filters`: a test compares it with the original. The words of the language, and the
// fields of the messages in the page, come from vudissect/report/filterable.py.
"use strict";
const compileFilter = (() => {
  const WORDS = new Set(["and", "or", "not"]);
  const SIGNS = ["=", "!=", "<", "<=", ">", ">="];

  const findings = (row, about) => row.findings.map((place) => about.findings[place]);
  const KEYS = {
    ring: [(row) => row.rings, number],
    from: [(row) => [row.sender], word],
    channel: [(row) => [row.channel], word],
    kind: [(row) => [row.kind], word],
    connection: [(row) => [row.connection], number],
    frame: [(row) => [row.frame], number],
    elapsed: [(row) => [row.elapsed], duration],
    latency: [(row) => (row.latency < 0 ? [] : [row.latency]), duration],
    severity: [(row, about) => findings(row, about).map((each) => about.language.severity[each.severity]), rank],
    rule: [(row, about) => findings(row, about).map((each) => each.rule), rule],
    blame: [(row, about) => findings(row, about).map((each) => each.blame), word],
  };

  function numberOf(text, about) {
    const match = /^(-?)(0x[0-9a-f]{1,16}|[0-9]{1,20})([kmgt]?)$/i.exec(text);
    if (!match) return null;
    const value = BigInt(match[2]) * BigInt(about.language.sizes[match[3].toLowerCase()]);
    return match[1] ? -value : value;
  }

  function number(text, sign, name, about) {
    const value = numberOf(text, about);
    if (value === null) throw new Error(`expected a number, not ${text}`);
    return value;
  }

  function duration(text, sign, name, about) {
    const { times } = about.language;
    const match = /^([0-9]{1,12})(?:\.([0-9]{1,9}))?([a-z]+)$/.exec(text);
    if (!match || !Object.hasOwn(times, match[3])) {
      throw new Error(`expected a time and its unit (${Object.keys(times).join(", ")}), not ${text}`);
    }
    const [, whole, decimals = "", unit] = match;
    const size = BigInt(times[unit]);
    return BigInt(whole) * size + (BigInt(decimals || "0") * size) / 10n ** BigInt(decimals.length);
  }

  function rank(text, sign, name, about) {
    const words = about.language[name.toLowerCase()];
    const key = text.toLowerCase();
    if (!Object.hasOwn(words, key)) throw new Error(`unknown ${name}: ${text}; known: ${Object.keys(words).join(", ")}`);
    return words[key];
  }

  function word(text, sign, name, about) {
    const value = rank(text, sign, name, about);
    needsEquality(sign, name);
    return value;
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
  const HOLDS = {
    "=": equal,
    "!=": equal,
    "<": (value, wanted) => value < wanted,
    "<=": (value, wanted) => value <= wanted,
    ">": (value, wanted) => value > wanted,
    ">=": (value, wanted) => value >= wanted,
  };

  // Whether one of the answers is yes; for !=, whether there are answers and none is yes.
  const holdsFor = (sign, answers) => (sign === "!=" ? answers.length > 0 && !answers.includes(true) : answers.includes(true));

  function compare(values, sign, wanted) {
    return (row, about) => holdsFor(sign, values(row, about).map((value) => HOLDS[sign](value, wanted)));
  }

  // The tests of the fields that a name refers to, for each kind of message in the page; null if none has the value.
  function fieldTests(name, sign, text, about) {
    return about.shapes.map((shape) =>
      shape.leaves.flatMap((leaf, place) => (reads(name.toLowerCase(), shape, leaf.path, about) ? [[place + 1, leafTest(leaf, sign, text, about)]] : [])),
    );
  }

  function field(name, sign, text, about, remarks) {
    const tests = fieldTests(name, sign, text, about);
    const found = tests.flat();
    if (numberOf(text, about) === null && found.every(([, test]) => !test)) needsEquality(sign, name);
    if (!found.length) remarks.push(`no message in this page has a field ${name}`);
    else if (found.every(([, test]) => !test)) remarks.push(`no field ${name} in this page can be ${text}`);
    const never = () => false;
    return ({ values }) => {
      if (!values) return false;
      return holdsFor(sign, tests[values[0]].flatMap(([place, test]) => [values[place]].flat().map(test ?? never)));
    };
  }

  // A name is the path of a field or its end, after a message or a word of its name if it has one.
  function reads(name, shape, path, about) {
    const isEnd = (text) => path === text || path.endsWith(`.${text}`);
    if (isEnd(name)) return true;
    const dot = name.indexOf(".");
    if (dot < 0 || !isEnd(name.slice(dot + 1))) return false;
    const qualifier = name.slice(0, dot);
    const pattern = glob(plainName(qualifier, about));
    return shape.words.includes(qualifier) || shape.names.some((each) => pattern.test(each));
  }

  function leafTest(leaf, sign, text, about) {
    const isEquality = sign === "=" || sign === "!=";
    if (leaf.bytes) return isEquality ? (value) => value === text.toLowerCase() : null;
    const wanted = numberOf(text, about);
    if (wanted !== null) return (value) => HOLDS[sign](value, wanted);
    if (!isEquality) return null;
    const choices = leaf.choices ?? {};
    const key = text.toLowerCase();
    if (Object.hasOwn(choices, key)) return (value) => choices[key].includes(value);
    const mask = BigInt((leaf.bits && Object.hasOwn(leaf.bits, text.toUpperCase()) && leaf.bits[text.toUpperCase()]) || 0);
    return mask ? (value) => (BigInt(value) & mask) !== 0n : null;
  }

  function plainName(text, about) {
    const name = text.toUpperCase();
    const prefix = about.prefixes.find((each) => name.startsWith(each)) ?? "";
    return name.slice(prefix.length);
  }

  function message(text, about, remarks) {
    if (/^[0-9]+$/.test(text)) {
      const id = String(BigInt(text));
      return (row) => row.name !== "" && about.names[row.name][0] === id;
    }
    const pattern = glob(plainName(text, about));
    const matching = new Set(
      Object.keys(about.names).filter((name) => about.names[name].slice(1).some((spelling) => pattern.test(spelling))),
    );
    if (!matching.size) remarks.push(`no message in this page is a ${text}`);
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
    let usesValues = false;
    const remarks = [];
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
      if (++depth > about.language.deepest) throw new Error(`more than ${about.language.deepest} parentheses are open`);
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
          usesValues = true;
          return field(name, sign, value, about, remarks);
        }
        const [values, parse] = KEYS[key];
        return compare(values, sign, parse(value, sign, name, about));
      }
      if (key === "has:finding") return (row) => row.findings.length > 0;
      if (key === "has:fd") return (row) => row.hasDescriptors;
      if (key.startsWith("has:")) throw new Error(`unknown thing to have: ${name.slice(4)}; known: ${about.language.things.join(", ")}`);
      if (Object.hasOwn(KEYS, key)) throw new Error(`${name} needs an operator and a value: ${name}=...`);
      return message(name, about, remarks);
    }

    const test = either();
    if (token()) throw new Error(`expected and, or, or the end, not ${token()}`);
    return Object.assign((row) => test(row, about), { usesValues, remarks });
  };
})();
