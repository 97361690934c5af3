"""Time zones inside countries that have several, by ISO 3166-2 subdivision.

A subdivision with several zones is listed under the zone of most of its people (tz database,
`zone.tab`; ISO 3166-2). Subdivisions in their country's main zone are listed too, so that their
zone counts as known and not as a guess.
"""

# Country -> zone -> the parts of ISO 3166-2 codes after the hyphen.
PROVINCE_ZONES: dict[str, dict[str, str]] = {
    "AU": {
        "Australia/Sydney": "NSW ACT JBT",
        "Australia/Melbourne": "VIC",
        "Australia/Brisbane": "QLD",
        "Australia/Adelaide": "SA",
        "Australia/Darwin": "NT",
        "Australia/Perth": "WA",
        "Australia/Hobart": "TAS",
    },
    "BR": {
        "America/Sao_Paulo": "DF ES GO MG PR RJ RS SC SP",
        "America/Bahia": "BA",
        "America/Maceio": "AL SE",
        "America/Recife": "PE",
        "America/Fortaleza": "CE MA PB PI RN",
        "America/Araguaina": "TO",
        "America/Belem": "AP PA",
        "America/Campo_Grande": "MS",
        "America/Cuiaba": "MT",
        "America/Manaus": "AM",
        "America/Boa_Vista": "RR",
        "America/Porto_Velho": "RO",
        "America/Rio_Branco": "AC",
    },
    "CA": {
        "America/St_Johns": "NL",
        "America/Halifax": "NS PE",
        "America/Moncton": "NB",
        "America/Toronto": "ON QC",
        "America/Winnipeg": "MB",
        "America/Regina": "SK",
        "America/Edmonton": "AB NT",
        "America/Vancouver": "BC",
        "America/Whitehorse": "YT",
        "America/Iqaluit": "NU",
    },
    "CD": {
        "Africa/Kinshasa": "BC EQ KG KL KN MN MO NU SU TU",
        "Africa/Lubumbashi": "BU HK HL HU IT KC KE KS LO LU MA NK SA SK TA TO",
    },
    "CL": {
        "America/Santiago": "AI AN AP AR AT BI CO LI LL LR ML NB RM TA VS",
        "America/Punta_Arenas": "MA",
    },
    "CY": {"Asia/Nicosia": "01 02 03 05 06", "Asia/Famagusta": "04"},
    "EC": {
        "America/Guayaquil": "A B C D E F G H I L M N O P R S SD SE T U X Y Z",
        "Pacific/Galapagos": "W",
    },
    "ES": {
        "Europe/Madrid": "A AB AL AV B BA BI BU C CA CC CO CR CS CU GI GR GU H HU J L LE LO LU M"
        " MA MU NA O OR P PM PO S SA SE SG SO SS T TE TO V VA VI Z ZA",
        "Atlantic/Canary": "GC TF CN",
        "Africa/Ceuta": "CE ML",
    },
    "FM": {"Pacific/Chuuk": "TRK YAP", "Pacific/Pohnpei": "PNI", "Pacific/Kosrae": "KSA"},
    "ID": {
        "Asia/Jakarta": "AC BB BE BT JA JB JI JK JT KR LA RI SB SS SU YO",
        "Asia/Pontianak": "KB KT",
        "Asia/Makassar": "BA GO KI KS KU NB NT SA SG SN SR ST",
        "Asia/Jayapura": "MA MU PA PB PD PE PS PT",
    },
    "MN": {
        "Asia/Ulaanbaatar": "1 035 037 039 041 047 049 051 053 055 057 059 061 063 064 067 069 073",
        "Asia/Hovd": "043 046 071",
    },
    "MX": {
        "America/Mexico_City": "AGU CAM CHP CMX COL DIF GRO GUA HID JAL MEX MIC MOR OAX PUE QUE"
        " SLP TAB TLA VER ZAC",
        "America/Merida": "YUC",
        "America/Cancun": "ROO",
        "America/Monterrey": "COA DUR NLE TAM",
        "America/Chihuahua": "CHH",
        "America/Mazatlan": "BCS NAY SIN",
        "America/Hermosillo": "SON",
        "America/Tijuana": "BCN",
    },
    "NZ": {
        "Pacific/Auckland": "AUK BOP CAN GIS HKB MBH MWT NSN NTL OTA STL TAS TKI WGN WKO WTC",
        "Pacific/Chatham": "CIT",
    },
    "PG": {
        "Pacific/Port_Moresby": "CPK CPM EBR EHG EPW ESW GPK HLA JWK MBA MPL MPM MRL NCD NIK"
        " NPP SAN SHM WBK WHM WPD",
        "Pacific/Bougainville": "NSB",
    },
    "PT": {
        "Europe/Lisbon": "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18",
        "Atlantic/Azores": "20",
        "Atlantic/Madeira": "30",
    },
    "RU": {
        "Europe/Kaliningrad": "KGD",
        "Europe/Moscow": "AD ARK BEL BRY CE CU DA IN IVA KB KC KDA KL KLU KO KOS KR KRS LEN LIP"
        " ME MO MOS MOW MUR NEN NGR NIZ ORL PNZ PSK RYA ROS SE SMO SPE STA TA TAM TUL TVE VLA"
        " VLG VOR YAR",
        "Europe/Kirov": "KIR",
        "Europe/Volgograd": "VGG",
        "Europe/Astrakhan": "AST",
        "Europe/Saratov": "SAR",
        "Europe/Ulyanovsk": "ULY",
        "Europe/Samara": "SAM UD",
        "Asia/Yekaterinburg": "BA CHE KGN KHM ORE PER SVE TYU YAN",
        "Asia/Omsk": "OMS",
        "Asia/Novosibirsk": "NVS",
        "Asia/Barnaul": "AL ALT",
        "Asia/Tomsk": "TOM",
        "Asia/Novokuznetsk": "KEM",
        "Asia/Krasnoyarsk": "KK KYA TY",
        "Asia/Irkutsk": "BU IRK",
        "Asia/Chita": "ZAB",
        "Asia/Yakutsk": "AMU SA",
        "Asia/Vladivostok": "KHA PRI YEV",
        "Asia/Magadan": "MAG",
        "Asia/Sakhalin": "SAK",
        "Asia/Kamchatka": "KAM",
        "Asia/Anadyr": "CHU",
    },
    "US": {
        "America/New_York": "CT DC DE FL GA KY MA MD ME NC NH NJ NY OH PA RI SC VA VT WV",
        "America/Detroit": "MI",
        "America/Indiana/Indianapolis": "IN",
        "America/Chicago": "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
        "America/Denver": "CO MT NM UT WY",
        "America/Boise": "ID",
        "America/Phoenix": "AZ",
        "America/Los_Angeles": "CA NV OR WA",
        "America/Anchorage": "AK",
        "Pacific/Honolulu": "HI",
        "America/Puerto_Rico": "PR VI",
        "Pacific/Guam": "GU MP",
        "Pacific/Pago_Pago": "AS",
    },
}

# Country -> "code name|code name …", names without accents and in lower case. For shops that send
# `province` without a code. Only the countries that ship most parcels across zones are listed.
PROVINCE_NAMES: dict[str, str] = {
    "AU": "NSW new south wales|ACT australian capital territory|VIC victoria|QLD queensland"
    "|SA south australia|NT northern territory|WA western australia|TAS tasmania",
    "BR": "AC acre|AL alagoas|AM amazonas|AP amapa|BA bahia|CE ceara|DF distrito federal"
    "|ES espirito santo|GO goias|MA maranhao|MG minas gerais|MS mato grosso do sul"
    "|MT mato grosso|PA para|PB paraiba|PE pernambuco|PI piaui|PR parana|RJ rio de janeiro"
    "|RN rio grande do norte|RO rondonia|RR roraima|RS rio grande do sul|SC santa catarina"
    "|SE sergipe|SP sao paulo|TO tocantins",
    "CA": "AB alberta|BC british columbia|MB manitoba|NB new brunswick"
    "|NL newfoundland and labrador|NS nova scotia|NT northwest territories|NU nunavut|ON ontario"
    "|PE prince edward island|QC quebec|SK saskatchewan|YT yukon",
    "ES": "GC las palmas|TF santa cruz de tenerife|CN canarias|CE ceuta|ML melilla",
    "MX": "AGU aguascalientes|BCN baja california|BCS baja california sur|CAM campeche"
    "|CHH chihuahua|CHP chiapas|CMX ciudad de mexico|COA coahuila|COL colima|DUR durango"
    "|GRO guerrero|GUA guanajuato|HID hidalgo|JAL jalisco|MEX estado de mexico|MIC michoacan"
    "|MOR morelos|NAY nayarit|NLE nuevo leon|OAX oaxaca|PUE puebla|QUE queretaro"
    "|ROO quintana roo|SIN sinaloa|SLP san luis potosi|SON sonora|TAB tabasco|TAM tamaulipas"
    "|TLA tlaxcala|VER veracruz|YUC yucatan|ZAC zacatecas",
    "PT": "20 acores|20 azores|30 madeira",
    "US": "AK alaska|AL alabama|AR arkansas|AZ arizona|CA california|CO colorado|CT connecticut"
    "|DC district of columbia|DE delaware|FL florida|GA georgia|HI hawaii|IA iowa|ID idaho"
    "|IL illinois|IN indiana|KS kansas|KY kentucky|LA louisiana|MA massachusetts|MD maryland"
    "|ME maine|MI michigan|MN minnesota|MO missouri|MS mississippi|MT montana|NC north carolina"
    "|ND north dakota|NE nebraska|NH new hampshire|NJ new jersey|NM new mexico|NV nevada"
    "|NY new york|OH ohio|OK oklahoma|OR oregon|PA pennsylvania|PR puerto rico|RI rhode island"
    "|SC south carolina|SD south dakota|TN tennessee|TX texas|UT utah|VA virginia|VT vermont"
    "|WA washington|WI wisconsin|WV west virginia|WY wyoming",
}
