import type { Department } from '../people.js'

/** A kind of work: the way its ball usually takes, what is said on the way, what a description says. */
export interface Kind {
  tag: string
  /** The departments that the ball visits from the one that begins; it comes back to the assignee. */
  route: readonly Department[]
  /** Notes on a hand-over, by the department that gets the ball; who waits for an outside party says for whom. */
  notes: Partial<Record<Department, readonly string[]>>
  about: readonly string[]
  talk: readonly string[]
}

export const kinds = {
  submittal: {
    tag: 'submittal',
    route: ['Procurement', 'Operations', 'Procurement'],
    notes: {
      Procurement: ['Waiting on revised shop drawings from {vendor}', 'Marked up: wrong voltage on the schedule, please get {vendor} to resubmit', 'Back from {consultant}: reviewed as noted, release it', '{vendor} wants the options confirmed before they revise', 'Returned for the noise data, please chase {vendor}'],
      Operations: ['Please check dimensions against the {level} openings before I send it on', 'Sent to {consultant} for review, ten working days', 'Does this fit with the housekeeping pad? Please confirm', 'Waiting on the stamp from {consultant}']
    },
    about: ['Submit cut sheets, wiring diagrams and weights for {equipment}. {consultant} wants the seismic restraint letter in the same package.', 'Section {spec}. Revision 2 after comments from {consultant}; check the motor starter and the noise data.', 'Long-lead item: every week lost here moves the {level} milestone.', 'Compare with the schedule on {drawing} before it goes to {gc}.'],
    talk: ['Uploaded revision 2, the connection sizes are right now', '{consultant} asked for the sound power data again', 'The coil drawing still shows the connections on the wrong hand', 'Stamped copy is in the project folder', '{vendor} says five more days for the seismic letter', 'Can we release fabrication on the reviewed-as-noted stamp?']
  },
  rfi: {
    tag: 'rfi',
    route: ['Operations', 'Estimating', 'Operations'],
    notes: {
      Operations: ['Waiting on an answer from {consultant}', 'Need a sketch for {drawing} before this can go out', 'No cost from our side, you can close it', 'Answer is clear, please build it that way'],
      Estimating: ['Answer received: is there a cost? Please review', 'Please price the answer; looks like extra work to me', '{gc} wants the cost impact with it']
    },
    about: ['{drawing} and the architectural reflected ceiling plan do not agree at {level}. Crew is held up until it is answered.', 'Existing conditions differ from {drawing}. Photos in the folder. Proposed solution attached for confirmation.', 'The specification ({spec}) and the schedule call for different things; we propose the cheaper of the two.', 'Answer needed before the {level} slab is poured.'],
    talk: ['{consultant} promised an answer by Friday', 'Crew moved to another area meanwhile', 'The answer contradicts the last addendum', 'Sketch SK-4 came back, it works', 'This is a change, not a clarification: notice sent to {gc}', 'Photos from this morning are in the folder']
  },
  field: {
    tag: 'site',
    route: ['Operations', 'Scheduling', 'Operations'],
    notes: {
      Scheduling: ['Area is not ready: waiting on {gc} to finish the drywall', 'Hoist is booked until Thursday, need another lift time', 'We lose two days here, please move the follow-on', 'Need four more people for {level}'],
      Operations: ['Crew is free from Monday, go ahead', 'Hangers are in, over to you for the mains', 'Waiting on access to {area} from {gc}', 'Please confirm manpower for {level}', 'Slot is Tuesday 7:00, please confirm']
    },
    about: ['Work from {drawing}, latest revision. Sleeves and inserts are in. Check the ceiling height before hanging mains.', 'Two crews, about a week. Keep the corridor clear for {gc} deliveries.', 'Pressure test and insulate before the ceiling closes.', 'Coordinate with the drywall contractor; they close the east side first.'],
    talk: ['About 60 percent done', 'Short two lengths of pipe, on the next truck', 'Ceiling grid is already up on one side, we need it opened', 'Walked it with the superintendent, no issues', 'Firestopping still to follow', 'Done on our side, waiting on the electrician', 'Tested overnight, held pressure']
  },
  coordination: {
    tag: 'bim',
    route: ['Operations', 'Estimating', 'Operations'],
    notes: {
      Operations: ['Your duct is in my pipe rack: can you drop 150 mm?', 'Waiting on the structural model from {consultant}', 'Please confirm the elevation, then I sign off this zone', 'Needs a decision at the coordination meeting', 'Rerouted in the model, check it please'],
      Estimating: ['The reroute adds four offsets, is that in our price?', 'Please check whether the bulkhead change is extra']
    },
    about: ['Clash group from the last Navisworks run. There is nowhere to go but up: either the bulkhead is lowered or we reroute.', 'Sign-off of this zone is due to {gc} before the sleeving drawings are issued.', 'Access clearance for {equipment} must stay at 900 mm.'],
    talk: ['Model updated, run the clash again', 'Beam penetration is refused by structural', 'Moved to the other side of gridline, clear now', 'Agreed in the meeting: we go under, sprinkler goes over', 'Still 3 clashes left in this zone']
  },
  inspection: {
    tag: 'inspection',
    route: ['Operations', 'Scheduling', 'Operations'],
    notes: {
      Scheduling: ['Please book the inspector, two days\' notice', 'Failed on labelling only, rebook when done', 'Waiting on the inspector to confirm a date'],
      Operations: ['Deficiency list is out, please close items 1 to 4', 'Permit drawings must be on site, can you print them?', 'Booked; need the foreman there at 8:00']
    },
    about: ['Inspector wants drawings, test certificates and a contact on site. Deficiencies are to be closed within ten days.', 'Everything must be exposed; do not close the ceiling before it passes.', 'Bring the signed test record for {system}.'],
    talk: ['Passed with two minor notes', 'Inspector moved it to next week', 'Labels are on, photos attached', 'Certificate is in the project folder', 'Water was off in the area, could not test']
  },
  commissioning: {
    tag: 'commissioning',
    route: ['Operations', 'Service', 'Operations'],
    notes: {
      Operations: ['Waiting on start-up by {vendor}', 'Ready for the functional test, please witness', 'Report sent to {consultant}, waiting on comments', 'Fixed on our side, please retest'],
      Service: ['Controls are not talking yet: waiting on {vendor}', 'Flows are 15 percent low, please look at the strainers', 'Please join the start-up, you will look after it later']
    },
    about: ['Pre-functional checklist first, then point-to-point, then the sequence as in {spec}. {consultant} witnesses one in five.', 'Balance to within 10 percent of design and record it on the NEBB forms.', 'Power, water and controls must all be available; book {vendor} two weeks ahead.'],
    talk: ['Pump was running backwards, phases swapped', 'Valve stroked, sequence passes', 'Strainer was full of construction dirt', 'Trend logs look right overnight', 'Retest tomorrow morning at 7', 'Sensor reads 4 degrees high, recalibrated']
  },
  change: {
    tag: 'change-order',
    route: ['Estimating', 'Operations', 'Accounting', 'Estimating'],
    notes: {
      Operations: ['Priced. Please check the labour hours', '{gc} disputes the hours, need the daily sheets', 'Waiting on a signed change directive from {gc}'],
      Accounting: ['Approved by {gc}: open the cost code', 'Please add it to the next draw'],
      Estimating: ['Please price this, quote is due to {gc} in five days', 'Waiting on a quote from {vendor}', 'Scope has changed on site, please reprice']
    },
    about: ['Scope per the site instruction; includes material, labour, crane time and overhead at the contract rate.', 'Work goes ahead under protest; keep separate time sheets.', 'Net any credit for deleted work before it goes to {gc}.'],
    talk: ['{gc} came back with a counter-offer', 'Labour is at the new rate from May', 'Missing the controls portion', 'Approved verbally, paper to follow', 'Daily sheets are signed by the superintendent']
  },
  purchase: {
    tag: 'purchasing',
    route: ['Estimating', 'Procurement', 'Operations', 'Procurement'],
    notes: {
      Procurement: ['Numbers are levelled, please place the order', 'Waiting on a delivery date from {vendor}', 'Waiting on the release from {consultant}', '{vendor} wants a deposit first', 'Site needs it two weeks earlier, can {vendor} do that?'],
      Operations: ['Order is placed; please confirm where it is to be dropped', 'Lead time went from 14 to 22 weeks, is there an alternate?', 'Acknowledgement is in, please check quantities'],
      Estimating: ['Is this carried in the estimate? I cannot find it', 'Please level the three quotes']
    },
    about: ['Budget is in the estimate under {spec}. Get the warranty and start-up included in the price.', 'Lead time decides: needed on site for {level} before the hoist comes down.', 'Freight included, offload by us. Tag every crate with the area.'],
    talk: ['{vendor} confirmed the ship date', 'Freight damage on one crate, claim filed', 'Order acknowledgement matches the submittal', 'Second quote is 8 percent lower but two weeks later', 'Partial shipment arrived this morning']
  },
  money: {
    tag: 'accounting',
    route: ['Accounting', 'Operations', 'Accounting'],
    notes: {
      Operations: ['Quantities do not match the packing slips, please check', 'Please approve for payment', 'Need the percent complete per cost code by the 25th'],
      Accounting: ['Checked and approved, please pay', 'Waiting on the statutory declaration from {vendor}', 'Waiting on payment from {gc}, 45 days now']
    },
    about: ['Three-way match: order, packing slip, invoice. Differences over 2 percent go back to the buyer.', 'Prompt payment: 28 days under the Construction Act, so the notice of non-payment must go out in time.', 'Holdback release needs the publication certificate.'],
    talk: ['Short by one skid, credit note asked for', 'Paid in the last run', '{gc} took off 4 percent without saying why', 'WSIB clearance is expired, new one requested', 'Cost code corrected']
  },
  service: {
    tag: 'service',
    route: ['Service', 'Procurement', 'Service'],
    notes: {
      Procurement: ['Need the part from {vendor}, model and serial are in the photo', 'Waiting on {vendor} for the warranty decision', 'Please get a price, the client wants a quote first'],
      Service: ['Part is on order with {vendor}', 'Part arrived, over to you', 'Client wants it done after hours', 'Technician found more: need a second pair of hands']
    },
    about: ['Tenant complaint. Check {equipment} first, then the controls. Report back to the building operator before leaving.', 'Under warranty until the end of the year: log the serial number and photos.', 'Bring a ladder and the refrigerant recovery unit.'],
    talk: ['Reset it, runs for now', 'Compressor draws high amps, will not last', 'Found a failed actuator, part ordered', 'Client signed the work order', 'No access, the key was not at the desk']
  },
  schedule: {
    tag: 'schedule',
    route: ['Scheduling', 'Operations', 'Scheduling'],
    notes: {
      Operations: ['Please confirm durations for {level}', 'Overloaded by four in that week, what can move?', 'Are we still on for {area}?'],
      Scheduling: ['Waiting on the updated master schedule from {gc}', 'Needs the delivery date of {equipment} first', 'Durations are fine, please issue']
    },
    about: ['Six-week look-ahead against the {gc} master. Flag every activity with less than five days of float.', 'Manpower histogram by trade; peak must stay under 34.', 'Recovery plan if {area} is handed over late again.'],
    talk: ['Float is gone on this path', '{gc} moved the milestone by eight days', 'Two fitters come over from the other site', 'Updated and issued', 'Overtime on Saturday agreed']
  },
  safety: {
    tag: 'safety',
    route: ['Operations', 'Scheduling', 'Operations'],
    notes: {
      Operations: ['Please sign the hot work permit', 'Corrected, please walk it with me', 'Waiting on the engineered lift plan'],
      Scheduling: ['Need two people with working-at-heights tickets', 'Please keep other trades out of {area} that day']
    },
    about: ['Under O. Reg. 213/91. Toolbox talk with the whole crew before it starts, sign-in sheet to the binder.', 'Lock-out list is on the board in the site office.'],
    talk: ['Talk given, 14 signed', 'Guardrail is back up', 'Permit posted', 'Near miss reported, no injury']
  },
  closeout: {
    tag: 'close-out',
    route: ['Operations', 'Procurement', 'Accounting', 'Operations'],
    notes: {
      Procurement: ['Waiting on O&M data from {vendor}', 'Warranty letter has the wrong start date, please get a new one'],
      Operations: ['Please add the tag list', 'Returned by {consultant} with comments', 'All in, please assemble the binder'],
      Accounting: ['All delivered, retention can go', 'Waiting on {gc} to publish substantial performance']
    },
    about: ['PDF, bookmarked by section, with warranty letters, test reports and spare parts list. {consultant} wants a draft at 80 percent.', 'Red-lines from site to be drafted before the foreman leaves the job.', 'Owner training is recorded; attendance list to the binder.'],
    talk: ['Draft is with {consultant}', 'Missing two warranty letters', 'Training went well, recording is uploaded', 'Deficiencies down to 11', 'Spare filters handed over and signed for']
  }
} as const satisfies Record<string, Kind>

export type KindName = keyof typeof kinds
