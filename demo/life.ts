import type { MakeId } from './ids.js'
import type { DemoFile } from './files.js'
import { jsonTime, type AttachmentRow, type Changes, type CommentRow, type EventRow, type HoldRow, type MentionRow, type NotificationRow, type TaskRow } from './records.js'

/** What a change may touch; a field that keeps its value is not part of the change. */
export type Patch = Partial<Pick<TaskRow, 'title' | 'description' | 'status' | 'priority' | 'tags' | 'assignee_id' | 'ball_in_court' | 'ball_company_id' | 'ball_contact_id' | 'due_at'>>

/** The ball in the court of one of ours, or in nobody's. */
export const toPerson = (id: string | null): Patch => ({ ball_in_court: id, ball_company_id: null, ball_contact_id: null })

/** What goes with the ball when it is handed over. */
export interface Handover { note?: string | undefined, expectedBy?: number | undefined }

export type Birth = Pick<TaskRow, 'project_id' | 'number' | 'parent_id' | 'title' | 'description' | 'status' | 'priority' | 'department' | 'tags' | 'assignee_id' | 'ball_in_court' | 'due_at' | 'created_by' | 'created_at'>

const isFinished = (status: string) => status === 'done' || status === 'closed'

/**
 * One task, and every row that its life leaves behind. Each method is one change: it alters the task and writes the
 * event, the hold and the notifications that the service would write for it. Times must rise from call to call.
 */
export class TaskLife {
  readonly task: TaskRow
  readonly holds: HoldRow[]
  readonly events: EventRow[] = []
  readonly comments: CommentRow[] = []
  readonly mentions: MentionRow[] = []
  readonly notifications: NotificationRow[] = []
  readonly #makeId: MakeId

  constructor (makeId: MakeId, birth: Birth) {
    const at = birth.created_at
    this.#makeId = makeId
    this.task = Object.assign(birth, {
      id: makeId(at),
      ball_company_id: null,
      ball_contact_id: null,
      ball_no: 1,
      ball_since: at,
      closed_at: null,
      last_activity_at: at,
      version: 1,
      updated_at: at,
      deleted_at: null,
      deleted_by: null
    })
    this.holds = [newHold(this.task, birth.created_by, at)]
    const changes: Changes = {}
    for (const field of ['title', 'description', 'status', 'priority', 'department', 'tags', 'assignee_id', 'ball_in_court', 'parent_id'] as const) {
      if (birth[field] !== null) changes[field] = [null, birth[field]]
    }
    if (birth.due_at !== null) changes.due_at = [null, jsonTime(birth.due_at)]
    const event = this.#log(at, 'task', this.task.id, 'created', birth.created_by, 1, changes)
    this.#notify(event, birth.ball_in_court, 'ball_received')
    this.#notify(event, birth.assignee_id, 'task_assigned')
  }

  get hold (): HoldRow { return this.holds.at(-1)! }
  get isFinished (): boolean { return this.task.closed_at !== null }

  /**
   * Changes fields, by the rules: finishing puts the ball in nobody's court, reopening gives it back to whom it was taken
   * from. Does nothing when nothing would change.
   */
  change (at: number, actor: string, patch: Patch, handover: Handover = {}): void {
    const task = this.task
    const finishes = patch.status !== undefined && isFinished(patch.status) && !this.isFinished
    const reopens = patch.status !== undefined && !isFinished(patch.status) && this.isFinished
    if (finishes) Object.assign(patch, toPerson(null))
    if (reopens) {
      const { user_id: user, company_id: company, contact_id: contact } = this.holds.at(-2)!
      Object.assign(patch, { ball_in_court: user, ball_company_id: company, ball_contact_id: contact })
    }
    const changes: Changes = {}
    for (const field of Object.keys(patch) as Array<keyof Patch>) {
      const before = task[field]
      const after = patch[field] as typeof before
      if (field === 'tags' ? String(before) === String(after) : before === after) continue
      changes[field] = field === 'due_at' ? [jsonTime(before as number | null), jsonTime(after as number | null)] : [before, after]
      Object.assign(task, { [field]: after })
    }
    if (Object.keys(changes).length === 0) return
    task.version++
    task.updated_at = at
    if (finishes) task.closed_at = at
    if (reopens) task.closed_at = null

    const movesBall = changes.ball_in_court ?? changes.ball_company_id ?? changes.ball_contact_id
    const action = changes.status ? 'status_changed' : movesBall ? 'ball_passed' : changes.assignee_id ? 'assigned' : 'updated'
    if (movesBall) this.#moveBall(at, actor, finishes ? 'finished' : reopens ? 'reopened' : 'passed', handover)
    const data: EventRow['data'] = {}
    if (action === 'ball_passed' && handover.note !== undefined) data.note = handover.note
    if (action === 'ball_passed' && handover.expectedBy !== undefined) data.expected_by = jsonTime(handover.expectedBy)
    const event = this.#log(at, 'task', task.id, action, actor, task.version, changes, data)
    if (changes.ball_in_court) this.#notify(event, task.ball_in_court, 'ball_received')
    if (changes.assignee_id) this.#notify(event, task.assignee_id, 'task_assigned')
  }

  /** The holder says that the ball has arrived. The task itself does not change. */
  acknowledge (at: number): void {
    const { hold } = this
    if (hold.user_id === null || hold.acknowledged_at !== null) return
    hold.acknowledged_at = at
    this.#log(at, 'task', this.task.id, 'ball_acknowledged', hold.user_id, this.task.version, {})
  }

  comment (at: number, author: string, body: string, mentioned: string[]): CommentRow {
    const id = this.#makeId(at)
    const comment: CommentRow = { id, task_id: this.task.id, author_id: author, body, edited_at: null, version: 1, created_at: at, updated_at: at, deleted_at: null, deleted_by: null }
    this.comments.push(comment)
    for (const user of mentioned) this.mentions.push({ comment_id: id, user_id: user })
    const event = this.#log(at, 'comment', id, 'created', author, 1, { body: [null, body] }, mentioned.length > 0 ? { mentions: mentioned } : {})
    for (const user of mentioned) this.#notify(event, user, 'mentioned', id)
    return comment
  }

  editComment (at: number, comment: CommentRow, body: string): void {
    const changes: Changes = { body: [comment.body, body] }
    Object.assign(comment, { body, edited_at: at, updated_at: at, version: comment.version + 1 })
    this.#log(at, 'comment', comment.id, 'updated', comment.author_id, comment.version, changes)
  }

  deleteComment (at: number, comment: CommentRow): void {
    Object.assign(comment, { deleted_at: at, deleted_by: comment.author_id, updated_at: at, version: comment.version + 1 })
    this.#log(at, 'comment', comment.id, 'deleted', comment.author_id, comment.version, {})
  }

  attach (at: number, actor: string, { name, contentType, bytes, sha256 }: DemoFile): AttachmentRow {
    const id = this.#makeId(at)
    this.#log(at, 'attachment', id, 'created', actor, 1, { name: [null, name] }, { content_type: contentType, size_bytes: bytes.length, sha256 })
    return { id, task_id: this.task.id, name, content_type: contentType, size_bytes: bytes.length, sha256: `\\x${sha256}`, uploaded_by: actor, created_at: at }
  }

  delete (at: number, actor: string): void { this.#bury(at, actor, 'deleted', { deleted_at: at, deleted_by: actor }) }
  restore (at: number, actor: string): void { this.#bury(at, actor, 'restored', { deleted_at: null, deleted_by: null }) }

  #bury (at: number, actor: string, action: string, fields: Pick<TaskRow, 'deleted_at' | 'deleted_by'>): void {
    Object.assign(this.task, fields, { version: this.task.version + 1, updated_at: at })
    this.#log(at, 'task', this.task.id, action, actor, this.task.version, {})
  }

  #moveBall (at: number, actor: string, outcome: HoldRow['outcome'], handover: Handover): void {
    Object.assign(this.hold, { ended_at: at, outcome })
    this.task.ball_no++
    this.task.ball_since = at
    this.holds.push({ ...newHold(this.task, actor, at), note: handover.note ?? null, expected_by: handover.expectedBy ?? null })
  }

  #log (at: number, type: EventRow['entity_type'], id: string, action: string, actor: string, version: number, changes: Changes, data: EventRow['data'] = {}): EventRow {
    const eventId = this.#makeId(at)
    const event: EventRow = {
      id: eventId,
      created_at: at,
      entity_type: type,
      entity_id: id,
      action,
      actor_id: actor,
      project_id: this.task.project_id,
      task_id: this.task.id,
      version,
      changes,
      data,
      request_id: `seed-${eventId.slice(-7)}`
    }
    this.events.push(event)
    this.task.last_activity_at = at
    return event
  }

  /** One row for an event and person, the first, which is what asks most of them; and never to the one who did it. */
  #notify (event: EventRow, user: string | null, type: NotificationRow['type'], commentId: string | null = null): void {
    if (user === null || user === event.actor_id) return
    if (this.notifications.some((other) => other.event_id === event.id && other.user_id === user)) return
    const { task } = this
    this.notifications.push({
      id: this.#makeId(event.created_at),
      user_id: user,
      type,
      event_id: event.id,
      actor_id: event.actor_id,
      project_id: task.project_id,
      task_id: task.id,
      comment_id: commentId,
      read_at: null,
      created_at: event.created_at
    })
  }
}

function newHold (task: TaskRow, passedBy: string, at: number): HoldRow {
  return { task_id: task.id, no: task.ball_no, user_id: task.ball_in_court, company_id: task.ball_company_id, contact_id: task.ball_contact_id, passed_by: passedBy, note: null, expected_by: null, started_at: at, ended_at: null, outcome: null, acknowledged_at: null }
}
