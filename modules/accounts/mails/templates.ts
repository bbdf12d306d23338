import { compileEmail } from '../../shared/email-templates.js'

export type Purpose = 'invitation' | 'password_reset'

interface Letter { name: string, subject: string, says: string, link: string, does: string, lasts: string, otherwise: string }

const render = compileEmail<Letter>(`Hello <%= it.name %>,

<%= it.says %>

<%= it.does %>: <%= it.link %>

The link is good once, for <%= it.lasts %>.

<%= it.otherwise %>
`, `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title><%= it.subject %></title></head>
<body style="font-family: sans-serif; line-height: 1.5; color: #1a1a1a; max-width: 40em">
<p>Hello <%= it.name %>,</p>
<p><%= it.says %></p>
<p><a href="<%= it.link %>"><%= it.does %></a></p>
<p>The link is good once, for <%= it.lasts %>.</p>
<p><small><%= it.otherwise %></small></p>
</body>
</html>
`)

/** Where the web front end takes a token. It is in the fragment, which no browser sends: no log on the way has it. */
export const linkOf = (purpose: Purpose, token: string, app: string): string => `${app}/${purpose === 'invitation' ? 'accept-invitation' : 'reset-password'}#token=${token}`

const inWords = (minutes: number): string => minutes % 60 !== 0 ? `${minutes} minutes` : minutes === 60 ? 'an hour' : `${minutes / 60} hours`

/** An e-mail with a one-time link, in text and in HTML. */
export function renderLetter ({ purpose, name, inviter, token, minutes, app }: { purpose: Purpose, name: string, inviter: string | null, token: string, minutes: number, app: string }): { subject: string, text: string, html: string } {
  const common = { name, link: linkOf(purpose, token, app), lasts: inWords(minutes) }
  const letter: Letter = purpose === 'invitation'
    ? { ...common, subject: 'Your account in Eden ERP', says: `${inviter ?? 'An administrator'} invites you to Eden ERP, where we see whose court the ball is in.`, does: 'Choose your password', otherwise: 'If you do not know what this is about, leave it be: without the link nothing happens.' }
    : { ...common, subject: 'A new password for Eden ERP', says: 'Somebody asked for a new password for your account, hopefully you.', does: 'Choose a new password', otherwise: 'If it was not you, leave it be: your password stays as it is.' }
  return { subject: letter.subject, ...render(letter) }
}
