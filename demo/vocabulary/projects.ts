/** A kind of building that a mechanical-electrical-plumbing contractor works on. */
export interface BuildingType {
  code: string
  name: string
  description: string
  levels: readonly string[]
  areas: readonly string[]
}

/** The twelve kinds; the demo company has one project of each, a large one many. The first is the pumping station. */
export const buildingTypes: readonly BuildingType[] = [
  {
    code: 'PS',
    name: '{place} Pumping Station Upgrade',
    description: 'Replacement of four process pumps, new electrical room with 600 V switchgear and standby generator, odour control and building HVAC. The station stays in service throughout; shutdowns by permit at low flow.',
    levels: ['Dry well', 'Wet well', 'Ground floor', 'Mezzanine', 'Roof'],
    areas: ['pump bay 1', 'pump bay 2', 'pump bay 3', 'electrical room', 'generator room', 'valve chamber', 'screening room', 'odour control skid', 'control room', 'surge tank pad']
  },
  {
    code: 'HW',
    name: '{place} Hospital West Wing',
    description: 'Five-storey addition: operating rooms, imaging, 96 inpatient rooms, medical gas, isolation rooms to CSA Z317.2 and a new central plant tied into the existing 1974 steam system.',
    levels: ['Level B1', 'Level 1', 'Level 2', 'Level 3', 'Level 4', 'Level 5', 'mechanical penthouse'],
    areas: ['OR suite', 'imaging', 'isolation rooms', 'inpatient pod A', 'inpatient pod B', 'nurse station', 'sterile processing', 'pharmacy', 'link corridor', 'medical gas room', 'emergency department', 'central plant']
  },
  {
    code: 'CT',
    name: '{place} Condo Tower',
    description: '42 storeys, 488 suites with vertical fan coils and ERVs, two-pipe plant with heat recovery chiller, four levels of parking with CO and NO2 ventilation. Occupancy in three phases.',
    levels: ['P3', 'P2', 'P1', 'Level 2', 'Level 5', 'Level 8', 'Level 12', 'Level 15', 'Level 19', 'Level 23', 'Level 28', 'Level 33', 'Level 38', 'Level 42', 'mechanical penthouse'],
    areas: ['suites 01-04', 'suites 05-08', 'suites 09-12', 'corridor', 'amenity level', 'garbage room', 'riser shaft A', 'riser shaft B', 'lobby', 'parking ramp', 'pool equipment room', 'main electrical room']
  },
  {
    code: 'SR',
    name: '{place} Secondary School Retrofit',
    description: 'Boiler plant to condensing, unit ventilators replaced by a dedicated outdoor air system, LED lighting and a new addressable fire alarm. Loud and disruptive work only in July and August.',
    levels: ['Basement', 'Level 1', 'Level 2', 'Level 3', 'Roof'],
    areas: ['gymnasium', 'classroom wing A', 'classroom wing B', 'cafeteria', 'library', 'auditorium', 'boiler room', 'change rooms', 'science labs', 'admin offices', 'music room']
  },
  {
    code: 'DC',
    name: '{place} Data Centre',
    description: '9 MW of IT load in three halls, N+1 chilled water with free cooling, 2N UPS, twelve 2.5 MW generators. Integrated systems testing at level 5 before handover of each hall.',
    levels: ['Level 1', 'Level 2', 'Roof', 'generator yard'],
    areas: ['data hall 1', 'data hall 2', 'data hall 3', 'UPS room A', 'UPS room B', 'battery room', 'CRAH gallery', 'chiller yard', 'meet-me room', 'loading dock', 'fuel polishing room']
  },
  {
    code: 'TS',
    name: '{place} Transit Station',
    description: 'Underground station: tunnel and platform ventilation, emergency smoke exhaust, traction power room cooling, drainage and fire standpipe. Work in the track area by night possession only.',
    levels: ['Street level', 'Concourse', 'Mezzanine', 'Platform level', 'Undercroft'],
    areas: ['north vent shaft', 'south vent shaft', 'platform east', 'platform west', 'traction power room', 'signal room', 'bus loop', 'entrance pavilion', 'sump room', 'escalator pit', 'staff rooms']
  },
  {
    code: 'IR',
    name: '{place} Twin-Pad Arena',
    description: 'Ammonia refrigeration plant replaced with a CO2 plant, heat reclaim for dressing rooms and snow melt, dehumidification, new arena lighting. One pad stays open at any time.',
    levels: ['Ice level', 'Concourse', 'Level 2', 'Roof'],
    areas: ['pad A', 'pad B', 'refrigeration room', 'dressing rooms', 'Zamboni bay', 'snow melt pit', 'community hall', 'skate shop', 'concession', 'spectator stands']
  },
  {
    code: 'LF',
    name: '{place} Lab Fit-out',
    description: 'Two floors of wet labs and a vivarium in an existing tower: lab air at 10 air changes, fume hood exhaust with heat recovery, process chilled water, lab gases and neutralisation.',
    levels: ['Level 6', 'Level 7', 'Level 8', 'Roof', 'Basement'],
    areas: ['wet lab A', 'wet lab B', 'tissue culture', 'vivarium', 'fume hood alcove', 'cold rooms', 'autoclave room', 'write-up area', 'gas cylinder room', 'NMR room', 'shaft 2']
  },
  {
    code: 'LT',
    name: '{place} Long-Term Care Home',
    description: '160 beds in five resident home areas, in-floor heating, commercial kitchen, nurse call, generator for full life-safety and cooling load.',
    levels: ['Basement', 'Level 1', 'Level 2', 'Level 3', 'Penthouse'],
    areas: ['resident home area 1', 'resident home area 2', 'resident home area 3', 'main kitchen', 'laundry', 'servery', 'spa rooms', 'activity room', 'med room', 'generator enclosure']
  },
  {
    code: 'OT',
    name: '{place} Office Tower Plant Renewal',
    description: 'Chillers, cooling towers and 24 floor-by-floor compartment units replaced in an occupied tower, pneumatic controls to DDC, tenants kept at 24 degrees through the summer.',
    levels: ['P1', 'Ground floor', 'Level 4', 'Level 7', 'Level 11', 'Level 14', 'Level 18', 'Level 22', 'Level 24', 'mechanical penthouse'],
    areas: ['compartment unit room', 'chiller plant', 'cooling tower deck', 'tenant floor east', 'tenant floor west', 'washroom core', 'riser closet', 'lobby', 'main switchboard room', 'fan room']
  },
  {
    code: 'HT',
    name: '{place} Hotel Renovation',
    description: '210 guest rooms with new PTAC and domestic water risers, ballroom air handling, kitchen exhaust and make-up air. Four floors out of service at a time.',
    levels: ['Basement', 'Level 1', 'Level 3', 'Level 5', 'Level 6', 'Level 9', 'Level 11', 'Roof'],
    areas: ['guest rooms north', 'guest rooms south', 'ballroom', 'banquet kitchen', 'restaurant', 'pool and spa', 'laundry', 'back of house', 'fitness room', 'linen chute']
  },
  {
    code: 'CS',
    name: '{place} Cold Storage Warehouse',
    description: 'Design-build: 180,000 sq ft at -25 C with underfloor glycol, dock dehumidification, ESFR dry sprinklers and a 2 MW rooftop solar tie-in.',
    levels: ['Ground floor', 'Dock level', 'Mezzanine', 'Roof'],
    areas: ['freezer 1', 'freezer 2', 'cooler dock', 'engine room', 'battery charging', 'office block', 'truck wash', 'underfloor glycol loop', 'pump house', 'roof curbs']
  }
]

export const places = ['Lakeview', 'Humber Valley', 'Harbourline', 'Maplewood', 'Markham', 'Eglinton East', 'Scarborough', 'University Avenue', 'Rouge Hill', 'King West', 'Waterfront', 'Milton', 'Don Mills', 'Etobicoke', 'Leaside', 'Port Credit', 'Brampton', 'Vaughan', 'Oakville', 'Pickering', 'Ajax', 'Mimico', 'Junction', 'Liberty Village', 'Bayview', 'Sheppard', 'Finch', 'Kipling', 'Islington', 'Weston', 'Danforth', 'Beaches', 'Leslieville', 'Cabbagetown', 'Riverdale', 'Forest Hill', 'Aurora', 'Newmarket', 'Richmond Hill', 'Thornhill', 'Unionville', 'Stouffville', 'Whitby', 'Oshawa', 'Clarington', 'Burlington', 'Hamilton Mountain', 'Dundas', 'Georgetown', 'Caledon', 'Bolton', 'Erin Mills', 'Meadowvale', 'Streetsville', 'Malton', 'Rexdale', 'Downsview', 'Wilson Heights', 'Lawrence Park', 'Davisville']

export const generalContractors = ['EllisDon', 'PCL', 'Pomerleau', 'Bird Construction', 'Graham', 'Bondfield', 'Buttcon', 'Eastern Construction', 'Maple Reinders', 'Matheson']
export const consultants = ['HH Angus', 'Smith + Andersen', 'WSP', 'Crossey Engineering', 'Mulvey & Banani', 'The Mitchell Partnership', 'Stantec', 'Arup', 'AECOM', 'Quasar']
