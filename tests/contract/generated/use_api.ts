// What openapi-typescript has generated, used: everything here is checked against it before it runs.
import createClient from 'openapi-fetch'
import type { components, paths } from './api.js'

declare const process: { argv: string[] }

const [baseUrl, email] = process.argv.slice(2) as [string, string]
const password = 'correct horse battery staple'

function got<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error))
  return answer.data
}

const api = createClient<paths>({ baseUrl })
const accepted = got(await api.POST('/api/v1/auth/register', { body: { email, password } }))
const token = got(
  await api.POST('/api/v1/auth/token', {
    body: { grant_type: 'password', username: email, password },
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    bodySerializer: (body) => new URLSearchParams(body as Record<string, string>),
  }),
)
api.use({
  onRequest({ request }) {
    request.headers.set('Authorization', `Bearer ${token.access_token}`)
  },
})

const project = got(await api.POST('/api/v1/projects', { body: { name: 'Generated' } }))
const path = { project_id: project.id }
const made = got(
  await api.POST('/api/v1/projects/{project_id}/documents', {
    params: { path },
    body: { title: 'Prices', content: 'Ten euros.', metadata: { year: 2027 } },
  }),
)
let document: components['schemas']['Document'] = made
while (document.index_status === 'pending') {
  await new Promise((resolve) => setTimeout(resolve, 50))
  document = got(
    await api.GET('/api/v1/projects/{project_id}/documents/{document_id}', {
      params: { path: { ...path, document_id: made.id } },
    }),
  )
}
const found = got(
  await api.GET('/api/v1/projects/{project_id}/search', { params: { path, query: { q: 'euros', mode: 'text' } } }),
)
const uploaded = got(
  await api.POST('/api/v1/projects/{project_id}/documents/upload', {
    params: { path },
    // The generated type of a file is a string; what is sent is a file.
    body: { file: '' },
    bodySerializer: () => {
      const form = new FormData()
      form.append('file', new Blob(['Twenty euros.'], { type: 'text/plain' }), 'more.txt')
      return form
    },
  }),
)
const { error: problem } = await api.POST('/api/v1/projects', { body: { name: '' } })

console.log(
  JSON.stringify({
    accepted: accepted.status,
    project: project.name,
    dated: Date.parse(project.created_at) > 0,
    found: found.items.map((hit) => hit.title),
    uploaded: uploaded.title,
    code: problem?.code,
    errors: problem?.errors?.map((each) => [each.pointer, each.code]),
  }),
)
