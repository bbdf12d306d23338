import { compileEmail } from '../../shared/email-templates.js'
import type { EmailContent } from './queries.js'

const text = `Hello <%= it.person.name %>,

<%= it.intro %>

<% for (const item of it.items) { %>
- <%= item.message %>

  <%= item.time %>  <%= item.link %>

<% } %>
<% if (it.more > 0) { %>
... and <%= it.more %> more: <%= it.app %>

<% } %>
You choose what you are told, and when: <%= it.app %>/settings/notifications
`

const html = `<!doctype html>
<html lang="<%= it.language %>">
<head><meta charset="utf-8"><title><%= it.subject %></title></head>
<body style="font-family: sans-serif; line-height: 1.5; color: #1a1a1a; max-width: 40em">
<p>Hello <%= it.person.name %>,</p>
<p><%= it.intro %></p>
<ul>
<% for (const item of it.items) { %>
<li><a href="<%= item.link %>"><%= item.message %></a><br><small><%= item.time %></small></li>
<% } %>
</ul>
<% if (it.more > 0) { %>
<p>... and <a href="<%= it.app %>"><%= it.more %> more</a></p>
<% } %>
<p><small>You choose what you are told, and when: <a href="<%= it.app %>/settings/notifications">your settings</a></small></p>
</body>
</html>
`

const render = compileEmail(text, html)

/** Longer subjects are cut off by most mail programs anyway. */
const MOST_IN_SUBJECT = 150

function timeIn (at: string, { timezone, locale }: EmailContent['person']): string {
  const format = (language: string) => new Intl.DateTimeFormat(language, { timeZone: timezone, dateStyle: 'medium', timeStyle: 'short' }).format(new Date(at))
  try {
    return format(locale)
  } catch {
    return format('en-CA') // a locale that this server does not know
  }
}

/**
 * An e-mail in words: the same in text and in HTML.
 * @param app where the web front end is
 */
export function renderEmail ({ mode, person, items, total }: Omit<EmailContent, 'id'>, app: string): { subject: string, text: string, html: string } {
  const [first] = items
  const count = total === 1 ? 'one notification' : `${total} notifications`
  const headline = total === 1 && first !== undefined ? first.message : `You have ${count}`
  const subject = (mode === 'daily' ? `Your day: ${count}` : headline)
  const data = {
    subject: [...subject].length > MOST_IN_SUBJECT ? `${[...subject].slice(0, MOST_IN_SUBJECT - 1).join('')}…` : subject,
    intro: mode === 'daily' ? `what happened since the last summary, ${count} that you have not read:` : `${count} that you have not read:`,
    language: 'en',
    person,
    app,
    items: items.map((item) => ({ ...item, time: timeIn(item.at, person), link: `${app}/tasks/${item.task_id}` })),
    more: total - items.length
  }
  return { subject: data.subject, ...render(data) }
}
