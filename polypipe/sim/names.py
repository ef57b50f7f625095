"""Invented names of players, tournaments and clubs."""

FIRST_NAMES = (
    "Adrien", "Bruno", "Casper", "Dario", "Elias", "Felix", "Goran", "Hugo", "Ivo", "Jonas", "Kenji", "Luca",
    "Marek", "Nils", "Oscar", "Pavel", "Quentin", "Rafa", "Stefan", "Tomas", "Ugo", "Viktor", "Wim", "Yannis",
)  # fmt: skip
FIRST_NAMES_W = (
    "Alba", "Bianca", "Clara", "Daria", "Elena", "Freya", "Greta", "Hana", "Ines", "Jana", "Katya", "Lena",
    "Mirra", "Nadia", "Olga", "Petra", "Rosa", "Sofia", "Tereza", "Ursa", "Vera", "Wanda", "Yuna", "Zoe",
)  # fmt: skip
# Some contain words that mislead naive parsing of a question: "set", "total", "win", "over".
LAST_NAMES = (
    "Abendroth", "Mussetto", "Castellan", "Dragovic", "Estevanez", "Fairweather", "Grünwald", "Halvorsen",
    "Ibarra", "Jankowiak", "Kettering", "Lindqvist", "Moreau", "Nakagawa", "O’Rourke", "Petrescu", "Quiroga",
    "Rasmussen", "Setterfield", "Totalini", "Ulanov", "Vandamme", "Winterbourne", "Ximenes", "Yavari",
    "Zoltan", "Overgaard", "de la Cruz", "D'Amico", "Sørensen", "Hadjiev", "Kuusela",
)  # fmt: skip
TOURNAMENTS = (
    "Lisbon Open", "Turin Masters", "Internazionali di Genova", "Roster Cup, Qualification ATP", "Quebec City",
    "Winchester Classic", "Plovdiv", "ITF Nagoya", "Croatia Bowl", "M25 Zadar", "Upper Rhine Open",
)  # fmt: skip
SLAMS = (
    "the 2027 Men's US Open?", "the 2027 Australian Open?", "the 2027 Men’s French Open?",
    "the 2027 Turin Masters Men’s Singles Tournament", "the 2027 men's singles tournament at the Miami Open?",
    "the 2027 Women's US Open?", "the 2027 Monte Carlo Masters?", "the 2027 Women’s Wimbledon Singles Tournament?",
)  # fmt: skip
CLUBS: dict[str, tuple[str, ...]] = {
    "fl1": (
        "Stade Armoric", "Olympique de Vauban", "FC Port-Royal", "AS Lavande", "Racing Club d’Arvor", "US Garonne",
        "Étoile Lorraine", "SC Camargue", "Union Dauphiné", "AC Cévennes",
    ),
    "epl": (
        "Kingsport United", "Harrowgate FC", "Merefield Town", "Tynebridge Albion", "Oldcastle City", "Westmoor Rovers",
    ),
    "lal": ("Real Almenara", "CD Montseny", "Atlético Bahía", "UD Sierra Norte", "Deportivo Llobera", "SD Ribadeo"),
    "sea": ("AC Valdarno", "Virtus Ligure", "US Adriatica", "Calcio Etna", "Dolomiti 1919", "SS Tiberina"),
    "nba": ("Harbor Kings", "Prairie Wolves", "Canyon Suns", "Bay Herons", "Ridge Bears", "Delta Storm"),
    "nhl": ("Lakeside Moose", "Northern Flyers", "Granite Blades", "Polar Owls", "River Otters", "Copper Foxes"),
    "mlb": ("Coast Pelicans", "Valley Miners", "Steel Hammers", "Orchard Larks", "Desert Rays", "Forest Cubs"),
    "lol": ("Nova Five", "Iron Pulse", "Ghost Circuit", "Blue Lantern", "Team Zenith", "Last Turret"),
    "cs2": ("Smoke Six", "Dust Riders", "Vertigo Club", "Inferno Eleven", "Mirage Crew", "Cache Unit"),
}  # fmt: skip
