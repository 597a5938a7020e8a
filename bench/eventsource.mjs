// A reader for the benchmark: npm's EventSource. Prints a line per event: type, id, subject.
import { EventSource } from 'eventsource';

const source = new EventSource(process.env.STREAM, {
  fetch: (input, init) =>
    fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${process.env.TOKEN}` } }),
});
const print = (event) => {
  console.log(event.type, event.lastEventId, JSON.parse(event.data).subject.id);
};
const types = ['project.created', 'document.created', 'document.updated', 'document.indexed', 'reset', 'reconnect'];
for (const type of types) source.addEventListener(type, print);
source.onerror = (error) => {
  if (source.readyState !== EventSource.CLOSED) return; // it reconnects
  console.log('closed', error.code ?? 0, error.message ?? '');
  process.exit(1);
};
