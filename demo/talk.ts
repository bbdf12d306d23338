import { WORKDAY } from './calendar.js'
import { departments, type Person } from './people.js'
import type { CommentRow } from './records.js'
import type { Scene } from './stories.js'

const asks = ['can you look at this?', 'please have a look before the meeting', 'see above', 'is this with you now?', 'FYI', 'can you confirm by tomorrow?', 'what do you think?']
const corrections = [' (edit: dates corrected)', ' Update: sorted out.', ' See the photo in the folder.', ' Correction: it is the other riser.']

/** What people say under a task while it is worked on: under a third of tasks one to six comments, at scale fewer. */
export function scheduleComments (scene: Scene): void {
  const { world: { random, calendar, now, isDetailed }, words, life, born, ends, steps, assignee, project } = scene
  if (!random.chance(isDetailed ? 0.36 : 0.13)) return
  const count = isDetailed ? random.pick([1, 1, 2, 2, 3, 3, 4, 5, 6]) : random.pick([1, 1, 2, 2, 3, 5])
  const active = Math.min(ends - born, 70 * WORKDAY)
  const cast = [assignee, project.manager, random.pick(project.crew[random.pick(departments)])]
  for (let i = 0; i < count; i++) {
    const at = born + active * (i + 0.1 + 0.8 * random.next()) / count
    steps.push({ at, happen: (time, at) => say(time, at, random.chance(0.5) ? holderOf(scene) ?? assignee : random.pick(cast)) })
  }

  function say (time: number, at: number, author: Person): void {
    const other = random.chance(0.3) ? random.pick(cast) : author
    const line = words.fill(random.pick(words.kind.talk))
    const text = other === author ? line : random.chance(0.5) ? `@${other.mailbox} ${line}` : `${line}. @${other.mailbox} ${random.pick(asks)}`
    const comment = life.comment(time, author.id, text, other === author ? [] : [other.id])
    if (random.chance(0.05)) revise(comment, at + random.int(1, 9) * 60_000)
  }

  /** Just written, and not quite right: it is edited, or taken back. */
  function revise (comment: CommentRow, at: number): void {
    const isTakenBack = random.chance(0.3)
    const correction = random.pick(corrections)
    if (at > now) return
    if (isTakenBack) life.deleteComment(calendar.toTime(at), comment)
    else life.editComment(calendar.toTime(at), comment, comment.body + correction)
  }
}

function holderOf ({ life, project }: Scene): Person | undefined {
  const id = life.hold.user_id
  return id === null ? undefined : project.members.find(({ person }) => person.id === id)?.person
}
