// The reader's schedule: when each card comes back, {id: {s, d, first, last, due}}, days as whole numbers. Kept in the browser where
// it lets us, else until the page is left; as a file it goes to another browser. A card is known by its id, so that its wording may
// change; one that the page no longer has is dropped.

import { interval, remembered } from "./fsrs.js";

// --- Pure

// A day begins at 4 in the morning: who studies late has not begun the next.
export function dayOf(time) {
  const at = new Date(time.getTime() - 4 * 3_600_000);
  return Math.round(Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) / 86_400_000);
}

// A card after an answer. One that was not known comes back on the same day.
export function answered(card, grade, day) {
  const memory = remembered(card, grade, card ? day - card.last : 0);
  return { ...memory, first: card?.first ?? day, last: day, due: grade === 1 ? day : day + interval(memory) };
}

// What is to be done today among cards: those that are due, the longest due first, and the new ones that the day has room for.
export function wanted(ids, { cards, fresh }, day) {
  const repeat = ids.filter((id) => cards[id]?.due <= day).sort((one, other) => cards[one].due - cards[other].due);
  const unseen = ids.filter((id) => !cards[id]);
  const begun = Object.values(cards).filter((card) => card.first === day).length;
  return { repeat, unseen, fresh: unseen.slice(0, Math.max(0, fresh - begun)) };
}

// The sound part of what was read, for the cards that there are.
export function sound(given, ids) {
  const cards = {};
  for (const id of ids) {
    const found = given?.cards && Object.hasOwn(given.cards, id) ? given.cards[id] : null;
    if (!found || typeof found !== "object") continue;
    const { s, d, first, last, due } = found;
    const days = [0, first, last, due, 1e6]; // in this order
    const in_order = days.every((day, at) => Number.isInteger(day) && !(day < days[at - 1]));
    if (in_order && [s, d].every(Number.isFinite) && s > 0 && s <= 36_500 && d >= 1 && d <= 10) cards[id] = { s, d, first, last, due };
  }
  const fresh = given?.fresh;
  return { cards, fresh: Number.isInteger(fresh) && fresh >= 0 && fresh <= 999 ? fresh : 10 };
}

// Of two schedules the later answer to each card.
export function later(one, other) {
  const cards = { ...one };
  for (const [id, card] of Object.entries(other)) if (!(cards[id]?.last > card.last)) cards[id] = card;
  return cards;
}

// --- Kept

const key = `${globalThis.__md_scope?.pathname ?? "/"}.dlnotes.cards`;
const format = "dlnotes schedule";

export class Schedule {
  constructor(ids) {
    this.ids = ids;
    this.value = this.kept() ?? sound(null, ids);
    this.lasting = this.keep();
  }

  kept() {
    try {
      const text = localStorage.getItem(key);
      return text && sound(JSON.parse(text), this.ids);
    } catch {
      return null; // no storage, or what lies there is damaged
    }
  }

  keep() {
    try {
      localStorage.setItem(key, JSON.stringify(this.value));
      return true;
    } catch {
      return false;
    }
  }

  get cards() {
    return this.value.cards;
  }

  get fresh() {
    return this.value.fresh;
  }

  change(cards, fresh = this.fresh) {
    this.value = { cards, fresh };
    this.keep();
  }

  // What another page has kept meanwhile counts.
  current() {
    return { ...(this.kept() ?? this.value).cards };
  }

  renew() {
    this.value = this.kept() ?? this.value;
  }

  // Keeps a card; null makes it new again.
  set(id, card) {
    const cards = this.current();
    if (card) cards[id] = card;
    else delete cards[id];
    this.change(cards);
  }

  set limit(fresh) {
    this.change(this.current(), sound({ fresh }, []).fresh);
  }

  clear() {
    this.change({});
  }

  saved() {
    return JSON.stringify({ format, version: 1, fresh: this.fresh, cards: this.current() }, null, 1);
  }

  // Takes the schedule of a file and gives the number of its cards; raises an error with words for the reader.
  load(text) {
    let read;
    try {
      read = JSON.parse(text);
    } catch {
      throw new Error("This file holds no schedule: it is not JSON.");
    }
    if (read?.format !== format || read.version !== 1) throw new Error("This file holds no schedule of this book's cards.");
    const found = sound(read, this.ids);
    this.change(later(this.current(), found.cards), found.fresh);
    return Object.keys(found.cards).length;
  }
}
