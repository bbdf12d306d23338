export type Trade = 'mech' | 'plumb' | 'elec' | 'controls' | 'fire'

/** Something that is bought: its tag on the drawings (`#` is a number), its MasterFormat section, and who makes it. */
export interface Item { tag: string, spec: string, vendors: readonly string[] }

/** What a trade installs, and what its drawings are called. */
export interface TradeWords {
  tag: string
  items: readonly Item[]
  systems: readonly string[]
  /** Systems that are pipes: tested under pressure, flushed, registered. */
  piping: readonly string[]
  services: readonly string[]
  drawing: string
}

const item = (tag: string, spec: string, vendors: string): Item => ({ tag, spec, vendors: vendors.split(', ') })

export const trades: Record<Trade, TradeWords> = {
  mech: {
    tag: 'hvac',
    items: [
      item('AHU-#', '23 73 13', 'Trane, Daikin, Haakon, Engineered Air'),
      item('RTU-#', '23 74 13', 'Trane, Carrier, Daikin, Engineered Air'),
      item('VAV-#-#', '23 36 00', 'Price Industries, Trane, Titus'),
      item('FCU-#-#', '23 82 19', 'Daikin, Williams, Trane'),
      item('CH-#', '23 64 16', 'Trane, Carrier, Daikin, Multistack'),
      item('B-#', '23 52 16', 'Viessmann, Cleaver-Brooks, Lochinvar'),
      item('P-#', '23 21 23', 'Armstrong, Grundfos, Bell & Gossett'),
      item('HX-#', '23 57 00', 'Alfa Laval, Armstrong, Bell & Gossett'),
      item('EF-#', '23 34 23', 'Greenheck, Twin City Fan, Loren Cook'),
      item('CT-#', '23 65 00', 'Baltimore Aircoil, Evapco, Marley'),
      item('ERV-#', '23 72 00', 'Greenheck, RenewAire, Engineered Air'),
      item('CRAH-#', '23 81 23', 'Vertiv, Stulz'),
      item('MUA-#', '23 73 39', 'Engineered Air, Greenheck'),
      item('DA-# dampers', '23 33 00', 'Price Industries, Ruskin, Nailor')
    ],
    systems: ['hydronic heating', 'chilled water', 'supply air', 'general exhaust', 'glycol', 'condenser water', 'smoke exhaust', 'steam and condensate', 'heat recovery'],
    piping: ['hydronic heating', 'chilled water', 'glycol', 'condenser water', 'steam and condensate', 'refrigerant', 'process cooling'],
    services: ['24x16 supply duct', '900 mm exhaust main', 'chilled water mains', 'heating water branch', 'refrigerant lines', 'VAV branch ducts', 'kitchen exhaust duct'],
    drawing: 'M'
  },
  plumb: {
    tag: 'plumbing',
    items: [
      item('DHW-#', '22 34 00', 'Bradford White, AO Smith, Lochinvar'),
      item('BFP-#', '22 11 19', 'Watts, Zurn Wilkins, Apollo'),
      item('SP-#', '22 14 29', 'Grundfos, Zoeller, Liberty'),
      item('BP-#', '22 11 23', 'Grundfos, Armstrong, Canariis'),
      item('TMV-#', '22 11 19', 'Powers, Leonard, Watts'),
      item('GI-# interceptor', '22 13 23', 'Zurn, Watts, Jay R. Smith'),
      item('WC-# fixtures', '22 42 13', 'Sloan, American Standard, Kohler'),
      item('RD-# drains', '22 14 26', 'Zurn, Watts, Jay R. Smith'),
      item('MGZ-# zone valves', '22 63 13', 'Amico, BeaconMedaes')
    ],
    systems: ['domestic cold water', 'domestic hot water recirculation', 'sanitary', 'storm', 'medical gas', 'natural gas', 'trap primer', 'acid waste'],
    piping: ['domestic cold water', 'domestic hot water', 'sanitary', 'storm', 'medical gas', 'natural gas', 'acid waste'],
    services: ['150 mm storm leader', '4 in sanitary stack', 'domestic water mains', 'medical gas headers', 'gas main', 'underslab drainage'],
    drawing: 'P'
  },
  elec: {
    tag: 'electrical',
    items: [
      item('LP-#A', '26 24 16', 'Eaton, Schneider Electric, Siemens'),
      item('PP-#B', '26 24 16', 'Eaton, Schneider Electric, Siemens'),
      item('MDP-#', '26 24 13', 'Eaton, Schneider Electric, ABB'),
      item('SWBD-#', '26 24 13', 'Eaton, Schneider Electric, Siemens, ABB'),
      item('SWGR-#', '26 23 00', 'Eaton, Schneider Electric, ABB'),
      item('T-#', '26 22 13', 'Hammond Power, Rex Power, Schneider Electric'),
      item('ATS-#', '26 36 23', 'ASCO, Thomson Power, Cummins'),
      item('GEN-#', '26 32 13', 'Cummins, Toromont Cat, Total Power'),
      item('UPS-#', '26 33 53', 'Vertiv, Schneider Electric, Eaton'),
      item('MCC-#', '26 24 19', 'Eaton, Rockwell, Schneider Electric'),
      item('BD-# bus duct', '26 25 00', 'Siemens, Schneider Electric, Starline')
    ],
    systems: ['600 V distribution', 'emergency power', 'branch lighting', 'lighting control', 'grounding', 'nurse call', 'feeder conduit', 'cable tray'],
    piping: [],
    services: ['600 mm cable tray', 'bus duct riser', 'feeder conduits', 'lighting runs', 'EMT racks'],
    drawing: 'E'
  },
  controls: {
    tag: 'controls',
    items: [
      item('DDC-#', '25 14 00', 'Delta Controls, Reliable Controls, Distech, Honeywell'),
      item('BAS panel #', '25 14 00', 'Johnson Controls, Honeywell, Delta Controls'),
      item('VFD-#', '26 29 23', 'ABB, Danfoss, Yaskawa'),
      item('CO-# sensors', '25 35 00', 'Honeywell, Armstrong Monitoring, Vulcain'),
      item('DPT-# transmitter', '25 35 00', 'Setra, Dwyer, Belimo'),
      item('CV-#-# valve', '25 36 00', 'Belimo, Siemens Building Technologies, Honeywell'),
      item('EM-# meter', '25 36 26', 'Triacta, Schneider Electric, Carma')
    ],
    systems: ['BAS network', 'room pressure monitoring', 'DDC', 'energy metering', 'VFD control', 'demand ventilation'],
    piping: [],
    services: ['control conduit', 'BACnet trunk', 'pneumatic tubing'],
    drawing: 'C'
  },
  fire: {
    tag: 'fire-protection',
    items: [
      item('FP-# fire pump', '21 30 00', 'Armstrong, Aurora, Patterson'),
      item('DPV-#', '21 13 16', 'Viking, Victaulic, Reliable'),
      item('PAV-# pre-action valve', '21 13 19', 'Viking, Tyco, Victaulic'),
      item('ZCV-#-#', '21 13 13', 'Victaulic, Viking, Tyco'),
      item('FHC-# cabinets', '21 12 00', 'National Fire, Wilson & Cousins'),
      item('FAP-#', '28 31 11', 'Mircom, Simplex, Notifier'),
      item('CA-# clean agent', '21 22 00', 'Kidde, Fike, Ansul')
    ],
    systems: ['wet sprinkler', 'pre-action sprinkler', 'standpipe', 'fire alarm', 'voice communication', 'clean agent'],
    piping: ['wet sprinkler', 'pre-action sprinkler', 'standpipe', 'fire main'],
    services: ['sprinkler mains', 'standpipe riser', 'fire alarm conduit', 'sprinkler branch lines'],
    drawing: 'FP'
  }
}
