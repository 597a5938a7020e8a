// Calls a project's tools through an official client, as a code editor would, and prints the answers.
const [generation, url, key, document, run] = process.argv.slice(2)
const late = generation === '2'
const { Client } = await import(late ? '@modelcontextprotocol/client' : '@modelcontextprotocol/sdk/client/index.js')
const { StreamableHTTPClientTransport: Transport } = await import(
  late ? '@modelcontextprotocol/client' : '@modelcontextprotocol/sdk/client/streamableHttp.js'
)

async function connected(key) {
  const client = new Client({ name: 'a test', version: '1' }, { versionNegotiation: { mode: 'auto' } })
  const headers = { Authorization: `Bearer ${key}` }
  await client.connect(new Transport(new URL(url), { requestInit: { headers } }))
  return client
}

async function refused(work) {
  try {
    await work()
  } catch (error) {
    return { code: error.code, message: String(error.message) }
  }
}

const client = await connected(key)
const call = (name, given, options) =>
  client.callTool({ name, arguments: given }, ...(late ? [options] : [undefined, options]))

// After listing, the client validates every result against the tool's output schema.
const { tools } = await client.listTools()
const steps = []
const said = {
  version: late ? client.getNegotiatedProtocolVersion() : client.transport.protocolVersion,
  server: client.getServerVersion().name,
  tools: tools.map((tool) => tool.name),
  listed: await call('list_documents', { limit: 5, cursor: '', status: null }),
  found: await call('search_documents', { q: 'euros', mode: 'text' }),
  page: await call('read_document', { document_id: document, start: 0, length: 3 }),
  missing: await call('read_document', { document_id: run }),
  agents: await call('list_agents', {}),
  followed: await call('follow_run', { run_id: run, wait_seconds: 1 }, { onprogress: (step) => steps.push(step) }),
  cancelled: await call('cancel_run', { run_id: run }),
  unknown: await refused(() => call('drop_everything', {})),
  dead: await refused(() => connected('pw_000000000000_dead')),
}
await client.close()
console.log(JSON.stringify(said))
