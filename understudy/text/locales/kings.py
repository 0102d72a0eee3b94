"""Names of kings, queens and popes, which a Roman numeral tells apart, by language."""

from __future__ import annotations

__all__ = ["KINGS", "QUEENS"]

QUEENS = frozenset(
    [
        "catalina",
        "catarina",
        "caterina",
        "elisabeth",
        "elisabetta",
        "elizabeth",
        "isabel",
        "juana",
        "katharina",
        "maria",
        "maría",
        "victoria",
        "vitória",
    ]
)
"""Those of KINGS whose ordinals are feminine."""

KINGS = {
    "de": (
        "ludwig", "friedrich", "wilhelm", "heinrich", "karl", "otto", "konrad", "leopold", "maximilian", "rudolf", "franz",
        "josef", "joseph", "georg", "eduard", "elisabeth", "elizabeth", "victoria", "philipp", "alexander", "nikolaus", "katharina", "peter", "paul",
        "pius", "benedikt", "leo", "gregor", "clemens", "innozenz", "urban", "bonifaz", "johannes", "august", "ferdinand",
        "sigismund", "albrecht", "ernst", "christian", "gustav", "napoleon", "charles",
    ),
    "en": (
        "henry", "louis", "edward", "george", "james", "charles", "william", "richard", "elizabeth", "philip", "ferdinand",
        "frederick", "napoleon", "alexander", "nicholas", "peter", "catherine", "paul", "pius", "benedict", "leo", "gregory",
        "clement", "innocent", "urban", "boniface", "john", "xerxes", "darius", "ptolemy", "ramses", "otto", "leopold",
        "gustav", "christian", "haakon", "harald", "felipe", "carlos", "alfonso", "juan", "pedro", "mary", "rudolf",
        "maximilian", "wilhelm",
    ),
    "es": (
        "carlos", "felipe", "fernando", "alfonso", "luis", "juan pablo", "juan", "pablo", "pedro", "sancho", "ramiro",
        "jaime", "enrique", "isabel", "jorge", "guillermo", "eduardo", "napoleón", "federico", "alejandro", "nicolás",
        "catalina", "juana", "pío", "benedicto", "león", "gregorio", "clemente", "inocencio", "urbano", "bonifacio", "sixto",
        "francisco", "amadeo", "ricardo", "leopoldo", "maximiliano", "ramsés",
    ),
    "fr": (
        "louis", "henri", "charles", "philippe", "françois", "napoléon", "jean-paul", "jean", "paul", "pie", "benoît", "léon",
        "grégoire", "clément", "innocent", "urbain", "boniface", "élisabeth", "édouard", "george", "georges", "jacques",
        "guillaume", "frédéric", "alexandre", "nicolas", "catherine", "léopold", "baudouin", "albert", "ferdinand",
        "alphonse", "hassan", "mohammed",
    ),
    "it": (
        "vittorio emanuele", "umberto", "luigi", "enrico", "carlo", "filippo", "giovanni", "paolo", "pio", "benedetto",
        "leone", "gregorio", "clemente", "innocenzo", "urbano", "bonifacio", "sisto", "elisabetta", "edoardo", "giorgio",
        "giacomo", "guglielmo", "federico", "napoleone", "alessandro", "nicola", "caterina", "ferdinando", "francesco",
        "amedeo", "cosimo", "papa", "giulio", "ottone",
    ),
    "pt": (
        "pedro", "joão paulo", "joão", "luís", "carlos", "filipe", "manuel", "afonso", "sancho", "dinis", "fernando",
        "duarte", "sebastião", "josé", "maria", "miguel", "henrique", "isabel", "elizabeth", "jorge", "guilherme", "eduardo", "napoleão",
        "frederico", "alexandre", "nicolau", "catarina", "pio", "bento", "leão", "gregório", "clemente", "inocêncio",
        "urbano", "paulo", "ricardo", "leopoldo", "ramsés",
    ),
}  # fmt: skip
