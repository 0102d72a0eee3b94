"""Numbers that agree with the noun behind them: "1 Stunde", "21 semanas", "200 pessoas", "1-2 heures"."""

from __future__ import annotations

import re
from re import Match

from understudy.text.locales.base import Locale, Rule

__all__ = ["NOUNS", "rules"]

# Nouns that are counted often, by gender: masculine ones (and German neuters) only where the bare number has another form.
NOUNS = {
    "de": {
        "f": "stunde minute sekunde woche tonne meile person tasse flasche packung dose scheibe portion nacht seite nachricht runde rechnung "
             "rupie viertelstunde kilowattstunde kalorie unze pizza tomate zwiebel banane kartoffel möhre gurke dose tüte kiste karte "
             "fahrkarte lampe kerze aufgabe frage cola limo reservierung erinnerung besprechung",
        "m": "euro cent dollar franken rappen pfund yen kilometer meter zentimeter millimeter quadratmeter kilogramm kilo gramm liter "
             "milliliter tag monat jahr jahrhundert grad prozent punkt stück glas teelöffel esslöffel mann kind zimmer schritt platz "
             "kaffee tee apfel salat burger döner becher termin wecker timer anruf kuchen tisch bier brot brötchen ei ticket lied foto bett buch",
    },
    "es": {
        "f": "hora horas semana semanas persona personas libra libras onza onzas tonelada toneladas milla millas yarda yardas pulgada pulgadas "
             "hectárea hectáreas página páginas vez veces canción canciones mujer mujeres botella botellas taza tazas cucharada cucharadas "
             "noche noches habitación habitaciones caja cajas copa copas lata latas unidad unidades entrada entradas alarma alarmas rupia "
             "rupias peseta pesetas vuelta vueltas década décadas niña niñas casa casas calle calles foto fotos palabra palabras plaza plazas "
             "pizza pizzas cerveza cervezas hamburguesa hamburguesas manzana manzanas patata patatas naranja naranjas cebolla cebollas docena docenas "
             "porción porciones ración raciones pastilla pastillas camisa camisas camiseta camisetas película películas receta recetas "
             "galleta galletas llamada llamadas tarea tareas cita citas nota notas moneda monedas mesa mesas silla sillas lámpara lámparas",
        "m": "minuto minutos segundo segundos día días mes meses año años kilo kilos kilogramo kilogramos gramo gramos litro litros mililitros "
             "metro metros kilómetro kilómetros centímetro centímetros milímetro milímetros grado grados euro euros dólar dólares peso pesos "
             "céntimo céntimos centavo centavos punto puntos yen yenes niño niños hombre hombres paso pasos mensaje mensajes correo correos siglo siglos "
             "café cafés vaso vasos libro libros billete billetes huevo huevos plátano plátanos taxi taxis coche coches recordatorio "
             "recordatorios vuelo vuelos asiento asientos tomate tomates bocadillo bocadillos taco tacos amigo amigos invitado invitados",
    },
    "fr": {
        "f": "minute minutes seconde secondes semaine semaines année années personne personnes fois livre livres tonne tonnes page pages nuit "
             "nuits journée journées bouteille bouteilles tasse tasses cuillère cuillères chanson chansons place places pièce pièces roupie "
             "roupies once onces voiture voitures femme femmes fille filles part parts étoile étoiles chambre chambres maison maisons "
             "heure heures pomme pommes pizza pizzas bière bières orange oranges banane bananes carotte carottes tomate tomates alarme alarmes "
             "lampe lampes table tables chaise chaises baguette baguettes tarte tartes réunion réunions entrée entrées vidéo vidéos photo photos "
             "chemise chemises recette recettes boîte boîtes douzaine douzaines portion portions tranche tranches poire poires",
    },
    "it": {
        "f": "settimana persona sterlina tonnellata libbra volta notte pagina canzone bottiglia tazza stanza rupia copia lattina fetta donna "
             "camera casa pizza birra mela patata carota cipolla dozzina porzione pastiglia camicia maglietta ricetta chiamata sveglia "
             "nota moneta sedia lampada foto riunione",
        "m": "minuto secondo giorno mese anno euro dollaro centesimo chilo chilogrammo grammo etto litro millilitro metro chilometro "
             "centimetro millimetro grado punto uomo bambino cucchiaio cucchiaino bicchiere "
             "libro caffè panino biscotto uovo taxi treno volo posto biglietto messaggio promemoria gelato pomodoro amico timer",
    },
    "pt": {
        "f": "hora horas semana semanas pessoa pessoas libra libras tonelada toneladas vez vezes página páginas garrafa garrafas xícara xícaras "
             "chávena chávenas colher colheres noite noites música músicas milha milhas polegada polegadas jarda jardas unidade unidades caixa "
             "caixas mulher mulheres menina meninas rupia rupias onça onças década décadas palavra palavras lata latas fatia fatias casa casas foto fotos "
             "pizza pizzas cerveja cervejas maçã maçãs batata batatas laranja laranjas cebola cebolas banana bananas dúzia dúzias porção "
             "porções camisa camisas camiseta camisetas receita receitas ligação ligações tarefa tarefas nota notas moeda moedas mesa mesas "
             "cadeira cadeiras lâmpada lâmpadas reunião reuniões vaga vagas colherada colheradas",
    },
}  # fmt: skip
# Between two numbers of one noun, the first of which agrees with it too where it is feminine: "2 a 3 horas".
_TO = {"es": " ?[-–] ?| (?:a|o) ", "fr": " ?[-–] ?| (?:à|ou) ", "it": " ?[-–] ?| (?:a|o) ", "pt": " ?[-–] ?| (?:a|ou) "}
_SINGULAR = r"[ae](?=\||$)"  # Endings of Italian nouns, which stand in the list as one of them is counted.
_THOUSAND = {"es": " mil", "pt": " mil"}  # It agrees as well, for a number before it: "2 mil pessoas".


def rules(locale: Locale) -> list[Rule]:
    """The rules of a language whose numbers agree; none for others."""
    if locale.lang not in NOUNS:
        return []
    signs = locale.groups
    number = rf"(?P<minus>(?<![\w)\]%°/])-)?(?<![\w.,/:])(?<!\d )(?P<n>\d{{1,3}}(?:[{signs}]\d{{3}}){{1,3}}|\d{{1,9}})"
    nouns = {gender: "|".join(sorted(words.split(), key=len, reverse=True)) for gender, words in NOUNS[locale.lang].items()}
    either = "|".join(f"(?P<{gender}>{words})" for gender, words in nouns.items())
    thousand = _THOUSAND.get(locale.lang, "(?!)")
    second = "(?!)"
    if locale.lang in _TO:
        feminine = nouns["f"] if locale.lang != "it" else f"ore|{re.sub(_SINGULAR, _plural, nouns['f'])}"
        second = (
            rf"(?:{_TO[locale.lang]})\d{{1,9}}(?:[{signs}]\d{{3}}){{0,3}}(?:{thousand})?(?: ?h(?![^\W\d_])| (?:{feminine})(?!\w))"
        )
    return [Rule("counted", rf"{number}(?P<thousand>{thousand})?(?= (?:{either})(?!\w)|(?P<first>{second}))", _counted)]


def _plural(ending: Match[str]) -> str:
    return "e" if ending.group() == "a" else "i"


def _counted(m: Match[str], text: str, locale: Locale) -> str | None:
    """None for a number that has one form only, which others read."""
    n = int("".join(c for c in m["n"] if c.isdecimal())) * (1000 if m["thousand"] else 1)
    words = locale.counted(n, "f" if m["f"] or m["first"] else "m")
    if words == locale.cardinal(n) or (len(m["n"]) > 1 and m["n"][0] == "0"):
        return None
    return f"{locale.minus} {words}" if m["minus"] else words
