"""What people type every day, in any language: amounts, sums, ranges, codes that are words, numbers before nouns."""

from __future__ import annotations

import pytest

from understudy.text.locales.cldr import CODE_WORDS, CODES
from understudy.text.spoken import Formatter

AMOUNTS = [
    # A foreign decimal sign before a unit or a price; without one it is a version, and seldom a date or a time.
    ("de", "1.5 km, 2.3 %", "eins komma fünf kilometer zwei komma drei prozent"),
    ("de", "3.5 Liter in Version 2.3", "drei punkt fünf liter in version zwei punkt drei"),
    ("de", "am 2.3 oder 4.5.", "am zweiten märz oder vierter mai"),
    ("de", "CHF 5.50", "fünf franken fünfzig rappen"),
    ("es", "2.50 m, 3.50 euros", "dos coma cincuenta metros tres punto cincuenta euros"),
    ("es", "la versión 2.15 sale a las 8.30", "la versión dos punto quince sale a las ocho y media"),
    ("fr", "12.5 km", "douze virgule cinq kilomètres"),
    # Grouped as Americans do.
    ("de", "$1,000,000 und $1,000.50", "eine million dollar und eintausend dollar fünfzig cent"),
    ("es", "£2,500.00", "dos mil quinientas libras"),
    # One group of three behind a sign is a thousand, but alone in a German line, and no price of fuel or of millions.
    ("de", "Überweise $2,000 an Max, Karte: €1,500.00", "überweise zweitausend dollar an max karte eintausendfünfhundert euro"),
    ("de", "$2,000", "zwei dollar"),
    ("es", "US$ 2,000 o -£1,250", "dos mil dólares o menos mil doscientas cincuenta libras"),
    ("fr", "¥2,000 ou EUR 1,500", "deux mille yens ou mille cinq cents euros"),
    ("it", "€ 1,500 (2,500 €)", "millecinquecento euro due euro cinquanta centesimi"),
    ("pt", "US$ 1,500 a R$ 2,00", "mil e quinhentos dólares a dois reais"),
    ("it", "€ 1,879 al litro, €1,879/l", "uno virgola ottocentosettantanove euro al litro uno virgola ottocentosettantanove euro per litro"),
    ("de", "mit $1,250 Mio. und $0,255 oder $2,50", "mit eins komma zwei fünf null millionen dollar und null komma zwei fünf fünf dollar oder zwei dollar fünfzig cent"),
    ("fr", "2,000 kg", "deux virgule zéro zéro zéro kilogrammes"),
    ("de", "für R$ 5", "für fünf brasilianische real"),
    # A thousand takes no link.
    ("fr", "5 mille €, 5 millions €", "cinq mille euros cinq millions d'euros"),
    ("pt", "R$ 2 mil", "dois mil reais"),
    ("fr", "3 M€, 1,5 Md€, 5k€", "trois millions d'euros un virgule cinq milliard d'euros cinq mille euros"),
    ("de", "1½ Liter, 2 1/2", "eineinhalb liter zweieinhalb"),
    # Letters and cents behind the sign, abbreviated scales, nothing behind the comma.
    ("es", "2 M€, 1 M€, 1,5 M$, 5 k€", "dos millones de euros un millón de euros uno coma cinco millones de dólares cinco mil euros"),
    ("es", "15 mill. de euros, 1 mill.", "quince millones de euros un millón"),
    ("it", "2 mln di euro, 1 mln €, € 2,5 mld, 3 M€", "due milioni di euro un milione di euro due virgola cinque miliardi di euro tre milioni di euro"),
    ("pt", "R$ 2,5 bi, R$ 1 bi, R$ 1,5 mi", "dois vírgula cinco bilhões de reais um bilhão de reais um vírgula cinco milhão de reais"),
    ("pt", "2 mi de pessoas, 2-3 mi de euros, 5 mi", "dois milhões de pessoas dois a três milhões de euros cinco milhas"),
    ("fr", "5€50, 12€05, 5€", "cinq euros cinquante douze euros cinq cinq euros"),
    ("de", "5€50", "fünf euro fünfzig"),
    ("es", "5€50", "cinco euros con cincuenta"),
    ("it", "5€50", "cinque euro e cinquanta"),
    ("pt", "5€50", "cinco euros e cinquenta"),
    ("de", "1,- €, für 1,- €, 5,-- Euro, 1.200,– EUR", "ein euro für einen euro fünf euro eintausendzweihundert euro"),
    ("de", "10.12 Minuten, am 10.12 Minuten", "zehn punkt zwölf minuten am zehn punkt zwölf minuten"),
]  # fmt: skip
SUMS = [
    ("en", "what is 10 - 4", "what is ten minus four"),
    ("en", "what's 3 + 5 * 3?", "what's three plus five times three"),
    ("en", "5 - 3 = 2, they won 5-3", "five minus three equals two they won five three"),
    ("de", "Wie viel ist 10-4?", "wie viel ist zehn minus vier"),
    ("es", "¿cuánto es 10 - 4?", "cuánto es diez menos cuatro"),
    ("fr", "combien font 3x4", "combien font trois fois quatre"),
    ("de", "1920x1080", "neunzehnhundertzwanzig mal eintausendachtzig"),
    ("hi", "5 x 3", "पाँच बाई तीन"),
    ("ta", "5x3", "ஐந்து பெருக்கல் மூன்று"),
]
HALVES = [
    ("es", "1/2 hora, 1 1/2 horas, 2 ½ tazas", "media hora una hora y media dos tazas y media"),
    ("es", "½ litro, 3 1/2 meses", "medio litro tres meses y medio"),
    ("fr", "1/2 heure, 2 1/2 heures, 1/2 litre, 1 1/2 mois", "une demi-heure deux heures et demie un demi-litre un mois et demi"),
    ("it", "1/2 ora, 1 1/2 ore, 2 1/2 tazze, 1/2 litro", "mezz'ora un'ora e mezza due tazze e mezza mezzo litro"),
    ("pt", "1/2 hora, 2 1/2 horas, ½ litro", "meia hora duas horas e meia meio litro"),
    ("pt", "2 pizzas, R$ 2,50", "duas pizzas dois reais e cinquenta centavos"),
    ("es", "1 pizza, 21 libros", "una pizza veintiún libros"),
    ("it", "1 pizza, 1 arancia, 1 libro", "una pizza un'arancia un libro"),
    ("de", "1 Pizza, 1 Bier, für 1 Kaffee", "eine pizza ein bier für einen kaffee"),
]
NOTATION = [
    ("en", "1h30m, 2h 15m 10s, 1h30, 24h", "one hour thirty minutes two hours fifteen minutes ten seconds one hour thirty minutes twenty four hours"),
    ("en", "5H, 12 h 5", "five h twelve hours five"),
    ("en", "exit 21A, 21A, 1080p, 1080 people", "exit twenty one a twenty one amperes ten eighty p one thousand and eighty people"),
    ("en", "set the oven to 350F, room 3C", "set the oven to three hundred and fifty degrees fahrenheit room three c"),
    ("en", "run a 10K, 10K", "run a ten k ten thousand"),
    ("en", "3/4 tsp, 2 tbsp, track #3, WWII", "three quarters teaspoon two tablespoons track number three world war two"),
    ("en", "on 12/25, Fri, 3/4, on 1/2 acre, 3/4", "on december twenty fifth friday march fourth on one half acre three quarters"),
    ("es", "el 14/07, el 3/4 de la tarta, a la 1", "el catorce de julio el tres cuartos de la tarta a la una"),
    ("es", "90 seg, #1", "noventa segundos número uno"),
    ("fr", "le 14/07, du 3/4 au 5/6", "le quatorze juillet du trois avril au cinq juin"),
    ("it", "il 14/07, all'1, dall'8 all'11, all'8%", "il quattordici luglio all'una dall'otto all'undici all'otto percento"),
    ("it", "timer di 1h30, alle 1h30", "timer di un'ora e trenta minuti alle una e trenta minuti"),
    ("pt", "dia 14/07, em 3/4 da prova", "dia catorze de julho em três quartos da prova"),
    ("de", "um 8h30, Timer auf 1h30, 17:30h", "um acht uhr dreißig timer auf eine stunde dreißig minuten siebzehn uhr dreißig"),
    ("de", "Bayern gewinnt 3:2, es steht 1-0, 16:9", "bayern gewinnt drei zu zwei es steht eins zu null sechzehn zu neun"),
    ("de", "4:3, 10-4, es steht 10-12 Uhr im Plan", "vier zu drei zehn bis vier es steht zehn bis zwölf uhr im plan"),
    ("de", "Hauptstr. 12, 1 EL, 2 TL, #5", "hauptstraße zwölf ein esslöffel zwei teelöffel nummer fünf"),
    ("en", "6 ft 2 in, 5 foot 11½ inches", "six feet two inches five feet eleven and a half inches"),
    ("en", "6 ft 2 in the air, 6 ft 12 in", "six feet two in the air six feet twelve in"),
    # The article is one word with the number.
    ("it", "l'8 marzo, dell'8 marzo, l'11 settembre, l'1 gennaio", "l'otto marzo dell'otto marzo l'undici settembre l'uno gennaio"),
    ("it", "dall'8 all'11 maggio, all'1:30, dopo l'1", "dall'otto all'undici maggio all'una e trenta minuti dopo l'una"),
    ("it", "l'80%, dell'85,5%, l'1%", "l'ottanta percento dell'ottantacinque virgola cinque percento l'uno percento"),
    ("it", "l'11º posto, all'8° piano, nell'800, l'18, l'8.000", "l'undicesimo posto all'ottavo piano nell'ottocento l diciotto l'ottomila"),
    ("fr", "d'1 heure, d'1 h, d'1h30, d'1 mois, d'1 kg", "d'une heure d'une heure d'une heure trente d'un mois d'un kilogramme"),
    ("it", "più d'1,5 km, l'8:30, dell'8.000, grand'1", "più d'uno virgola cinque chilometri l'otto e trenta minuti dell'ottomila grand uno"),
    ("fr", "d'1 %, plus d’1,5 km, d'1,50 €, d'11 ans", "d'un pour cent plus d'un virgule cinq kilomètre d'un euro cinquante centimes d onze ans"),
    ("fr", "l'11 novembre, d'1 million d'euros, qu'1 minute", "l onze novembre d'un million d'euros qu'une minute"),
]  # fmt: skip
QUOTIENTS = [
    ("en", "what is 100/4?", "what is one hundred divided by four"),
    ("en", "what is 3/4 of 8, 9/3", "what is three quarters of eight nine thirds"),
    ("en", "what's 5 x 6, 5 x 6", "what's five times six five by six"),
    ("en", "12 * 4, 10^6", "twelve times four ten to the power of six"),
    ("en", "10^-3", "ten to the power of minus three"),
    ("de", "10^-3", "zehn hoch minus drei"),
    ("de", "was ist 100/4 + 2^3", "was ist einhundert geteilt durch vier plus zwei hoch drei"),
    ("es", "¿cuánto es 100/4?", "cuánto es cien entre cuatro"),
    ("fr", "combien font 100 / 4 ?", "combien font cent divisé par quatre"),
    ("it", "quanto fa 10/2", "quanto fa dieci diviso due"),
    ("pt", "quanto é 4*5", "quanto é quatro vezes cinco"),
]
DIGITS = [
    ("en", "my PIN is 4321, zip code: 90210", "my pin is four three two one zip code nine zero two one zero"),
    ("en", "text 5551234567 but text 12 people", "text five five five one two three four five six seven but text twelve people"),
    ("de", "PIN 4321, Postleitzahl 10115", "pin vier drei zwei eins postleitzahl eins null eins eins fünf"),
    ("es", "llama al 612345678, código postal 28013", "llama al seis uno dos tres cuatro cinco seis siete ocho código postal dos ocho cero uno tres"),
    ("fr", "mon code est 4321, code 12", "mon code est quatre trois deux un code douze"),
    ("it", "chiama il 3331234567", "chiama il tre tre tre uno due tre quattro cinque sei sette"),
    ("pt", "liga para o 912345678, código 1.000", "liga para o nove um dois três quatro cinco seis sete oito código mil"),
    # A country code without a separator behind it.
    ("en", "+15551234567", "plus one five five five one two three four five six seven"),
    ("de", "+4915112345678", "plus vier neun eins fünf eins eins zwei drei vier fünf sechs sieben acht"),
    ("fr", "+33612345678", "plus trois trois six un deux trois quatre cinq six sept huit"),
    ("es", "+34612345678", "más tres cuatro seis uno dos tres cuatro cinco seis siete ocho"),
    ("it", "+393331234567", "più tre nove tre tre tre uno due tre quattro cinque sei sette"),
    ("pt", "+351912345678", "mais três cinco um nove um dois três quatro cinco seis sete oito"),
    ("ja", "+819012345678", "プラス 八一九零一二三四五六七八"),
    ("ar", "+966501234567", "زائد تسعة ستة ستة خمسة صفر واحد اثنان ثلاثة أربعة خمسة ستة سبعة"),
    ("hi", "+919876543210", "प्लस नौ एक नौ आठ सात छह पाँच चार तीन दो एक शून्य"),
    ("mr", "+919876543210", "प्लस नऊ एक नऊ आठ सात सहा पाच चार तीन दोन एक शून्य"),
    ("ta", "+919876543210", "பிளஸ் ஒன்பது ஒன்று ஒன்பது எட்டு ஏழு ஆறு ஐந்து நான்கு மூன்று இரண்டு ஒன்று பூஜ்ஜியம்"),
    ("te", "+919876543210", "ప్లస్ తొమ్మిది ఒకటి తొమ్మిది ఎనిమిది ఏడు ఆరు ఐదు నాలుగు మూడు రెండు ఒకటి సున్నా"),
    ("en", "+12345678%, 5+12345678", "plus twelve million three hundred forty five thousand six hundred and seventy eight percent five plus twelve million three hundred forty five thousand six hundred and seventy eight"),
]  # fmt: skip
RANGES = [
    ("de", "vom 3.-5. Mai, 3./4. Mai", "vom dritten bis fünften mai dritter vierter mai"),
    ("de", "1.5.-3.5.", "erster mai bis dritter mai"),
    ("de", "am 5. oder 6. Juni, zwischen dem 3. und 5. Mai", "am fünften oder sechsten juni zwischen dem dritten und fünften mai"),
    ("de", "am 1., 2. und 3. Mai, 1., 2. und 3. Mai", "am ersten zweiten und dritten mai erster zweiter und dritter mai"),
    ("de", "der 2. und 3. Platz, am 2.3 oder 4.5.", "der zweite und dritte platz am zweiten märz oder vierter mai"),
    ("de", "10.30-12 Uhr, 9-12.30 Uhr, 8.30-9.15 Uhr", "zehn uhr dreißig bis zwölf uhr neun bis zwölf uhr dreißig acht uhr dreißig bis neun uhr fünfzehn"),
    ("de", "von 8.30 bis 9.15 Uhr, am 1.10 bis 12 Uhr", "von acht uhr dreißig bis neun uhr fünfzehn am ersten oktober bis zwölf uhr"),
    ("de", "8.30-12 und 14.00 - 18.30 Uhr", "acht uhr dreißig bis zwölf und vierzehn uhr bis achtzehn uhr dreißig"),
    ("de", "um 8h30-9h15, 8h30-9h15, 17:30h-18:15h", "um acht uhr dreißig bis neun uhr fünfzehn acht stunden dreißig minuten bis neun stunden fünfzehn minuten siebzehn uhr dreißig bis achtzehn uhr fünfzehn"),
    ("en", "8h30-9h15, 1h-2h", "eight hours thirty minutes to nine hours fifteen minutes one hour to two hours"),
    ("es", "8h30-9h15, 1-1 1/2 horas", "ocho y media a nueve y cuarto uno a una hora y media"),
    ("fr", "8h30-9h15", "huit heures trente à neuf heures quinze"),
    ("it", "8h30-9h15, alle 8h30-9h15", "otto e trenta minuti a nove e quindici minuti alle otto e trenta minuti a nove e quindici minuti"),
    ("pt", "8h30-9h15, 8h-9h da noite", "oito horas e trinta a nove horas e quinze oito horas a nove horas da noite"),
    ("mr", "2-2.5 तास", "दोन ते अडीच तास"),
    ("te", "2-2.5 గంటలు", "రెండు నుండి రెండున్నర గంటలు"),
    ("ta", "2-2.5 மணி நேரம்", "இரண்டு முதல் இரண்டரை மணி நேரம்"),
    ("en", "Nov 5-7, May 5th - 7th, 2020", "november fifth to seventh may fifth to seventh twenty twenty"),
    ("es", "8.30-9.30", "ocho y media a nueve y media"),
    ("ja", "1500円-2000円、12:00-13:00", "千五百円から二千円 十二時から十三時"),
    ("ja", "2024/05/01-2024/05/03", "二千二十四年五月一日から二千二十四年五月三日"),
]  # fmt: skip
COUNTED = [
    ("de", "1 Stunde, 1 Tag, 1 Euro, 1 Tagung", "eine stunde ein tag ein euro eins tagung"),
    ("de", "bei -1 Grad, 1-2 Stunden, von 1 bis 2", "bei minus ein grad ein bis zwei stunden von eins bis zwei"),
    ("de", "für 1 Tag, ohne 1 €, um 1 %, gegen 1 Uhr", "für einen tag ohne einen euro um ein prozent gegen ein uhr"),
    ("de", "in 1 h, vor ca. 1 Jahr, mit 1,50 €, nach 1 km", "in einer stunde vor circa einem jahr mit einem euro fünfzig cent nach einem kilometer"),
    ("de", "von 1 Mio. €, bei 1 °C, für 1 Pfund", "von einer million euro bei einem grad celsius für ein pfund"),
    ("de", "auf 1 Liter, 1 Tag nach 1 Stunde", "auf ein liter ein tag nach einer stunde"),
    ("de", "in 1/2 Stunde, 1/2 kg, für ½ l, 1/2 ft", "in einer halben stunde ein halbes kilogramm für einen halben liter ein halb fuß"),
    ("de", "mit 1¼ Liter, in 1/3 der Fälle", "mit eineinviertel liter in einem drittel der fälle"),
    ("de", "1 oder 2 Tage, 1-2 kg", "ein oder zwei tage ein bis zwei kilogramm"),
    ("es", "1 semana, 21 minutos, 31 días", "una semana veintiún minutos treinta y un días"),
    ("es", "1.200 personas, el 21 de mayo", "mil doscientas personas el veintiuno de mayo"),
    ("fr", "1 minute, 21 personnes, 1 mois", "une minute vingt et une personnes un mois"),
    ("it", "1 minuto, 1 settimana, 1 ora", "un minuto una settimana un'ora"),
    ("pt", "2 semanas, 200 pessoas, 2 minutos", "duas semanas duzentas pessoas dois minutos"),
    ("pt", "1-2 horas", "uma a duas horas"),
    # Thousands, and the first of two numbers.
    ("es", "200.000 personas, 200 mil personas, 231.300 libras", "doscientas mil personas doscientas mil personas doscientas treinta y un mil trescientas libras"),
    ("es", "200.000 euros, 200 millones de personas", "doscientos mil euros doscientos millones de personas"),
    ("es", "200-300 personas, 1 o 2 horas, 21-22 minutos", "doscientas a trescientas personas una o dos horas veintiuno a veintidós minutos"),
    ("es", "el 3º piso, el 1º piso, el 3º de la lista, la 3ª planta", "el tercer piso el primer piso el tercero de la lista la tercera planta"),
    ("fr", "1-2 heures, 1 ou 2 minutes, 1-2 h, 1-2 jours", "une à deux heures une ou deux minutes une à deux heures un à deux jours"),
    ("it", "1-2 ore, 1 o 2 settimane, 1-2 minuti", "una a due ore una o due settimane uno a due minuti"),
    ("pt", "2 a 3 horas, 2-3 horas, 1 ou 2 pessoas", "duas a três horas duas a três horas uma ou duas pessoas"),
    ("pt", "2 mil pessoas, 2 a 3 mil pessoas, 2 mil euros", "duas mil pessoas duas a três mil pessoas dois mil euros"),
    ("es", "31,35 US$, US$ 5", "treinta y un dólares treinta y cinco centavos cinco dólares"),
    ("ar", "30 US$", "ثلاثون دولار"),
]  # fmt: skip
CODED = [
    # The sign of ordinals in place of the degree's; with a space behind one digit it is the second, a floor and a door.
    ("es", "30ºC, 30 ºC, 30º C, 300ºK", "treinta grados centígrados treinta grados centígrados treinta grados centígrados trescientos grados kelvin"),
    ("es", "2ºC, el 2º C, 30º", "dos grados centígrados el segundo c trigésimo"),
    ("pt", "30ºC", "trinta graus celsius"),
    ("it", "20ºC, 20 ºC", "venti gradi celsius venti gradi celsius"),
    ("fr", "-5 ºC", "moins cinq degrés celsius"),
    ("en", "20 ºC, 70ºF", "twenty degrees celsius seventy degrees fahrenheit"),
    ("de", "20 ºC", "zwanzig grad celsius"),
    ("hi", "20 ºC", "बीस डिग्री सेल्सियस"),
    ("ar", "20 ºC", "عشرون درجة مئوية"),
    ("ja", "20ºC", "二十度"),
    ("it", "dall'8 all'11", "dall'otto all'undici"),
    ("de", "die Top 10, 10 Top-Hits", "die top zehn zehn top-hits"),
    ("fr", "5 mur, 100 MAD", "cinq mur cent dirhams marocains"),
    ("de", "24/7", "vierundzwanzig sieben"),
    ("es", "24/7", "veinticuatro siete"),
    ("fr", "24h/24 et 7j/7", "vingt-quatre heures sur vingt-quatre et sept jours sur sept"),
    ("it", "Elisabetta II, Pio X", "elisabetta seconda pio decimo"),
    ("de", "Elisabeth II. und Karl V.", "elisabeth die zweite und karl der fünfte"),
    ("es", "Isabel II y Carlos V", "isabel segunda y carlos quinto"),
    ("pt", "Maria II e Pedro II", "maria segunda e pedro segundo"),
    ("de", "im 20. Jahrhundert, 20. Jahrhundert", "im zwanzigsten jahrhundert zwanzigstes jahrhundert"),
    ("de", "um 10.30 bis 11 Uhr", "um zehn uhr dreißig bis elf uhr"),
    ("en", "call 911, bus 911", "call nine one one bus nine hundred and eleven"),
    ("en", "0800 123 456", "zero eight zero zero one two three four five six"),
    ("ja", "090 1234 5678", "零九零一二三四五六七八"),
    ("es", "612 34 56 78", "seis uno dos tres cuatro cinco seis siete ocho"),
    ("ja", "①と②、No.1", "一と二 ナンバー一"),
    ("en", "it\u00b4s the \u201880s", "it's the eighties"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("lang", "written", "wanted"), [*AMOUNTS, *SUMS, *HALVES, *NOTATION, *QUOTIENTS, *DIGITS, *RANGES, *COUNTED, *CODED]
)
def test_everyday_notation(lang: str, written: str, wanted: str) -> None:
    assert Formatter(lang)(written) == wanted


def test_codes_that_are_words_are_codes() -> None:
    assert CODE_WORDS <= CODES


def test_a_line_of_dates_is_not_copied_for_each_of_them() -> None:
    line = "2.3. " * 20_000
    assert Formatter("de")(line) == " ".join(["zweiter märz"] * 20_000)
