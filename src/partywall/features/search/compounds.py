"""Splits German compounds: `Kündigungsfrist` is found as `Frist` and as `Kündigung`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Final

SHORTEST: Final = 9
LONGEST: Final = 64
_SHORTEST_PART: Final = 4
_DEEPEST: Final = 3

# Nouns with these endings take an `s` before another noun, and hardly any other word contains the two together.
_LINK: Final = re.compile(r"(?:ung|heit|keit|schaft|ion|ität|tum|ling|ment)s(?=[a-zäöüß]{4})")
# Belongs to the noun that follows: `Auflösung`, `Versammlung`.
_PARTICLE: Final = re.compile(r"(?:ab|an|auf|aus|bei|durch|ein|ent|mit|nach|rück|über|um|unter|ver|vor|zu)$")
# After an `s` these would rather go on with it: `sch`, `sp`, `st`.
_NO_BEGIN: Final = "cpt"
# Frequent nouns that end or begin compounds. None shorter than four letters: `Rat` ends `Apparat` too.
_NOUNS: Final = frozenset(
    """
    abbruch abgabe ablauf abnahme abrechnung absatz abschluss abschnitt abteilung adresse akte aktion alarm alter amt
    anbieter anfrage angabe angebot anlage anmeldung anschluss anschrift ansicht anspruch anteil antrag antwort
    anweisung anwendung anzeige apparat arbeit arbeiter archiv artikel arzt assistent aufgabe auflage aufnahme auftrag
    ausdruck ausfall ausgabe auskunft ausschuss ausweis auszug auto autor bahn band bank basis bau baum beamter befehl
    beginn behörde beitrag beleg benutzer bereich bericht beruf bescheid beschreibung bestand bestellung betrag
    betreuer betrieb bewertung beziehung bezug bild bildschirm bildung block boden brief bruch buch buchung
    budget bundes büro chef code container datei daten datenbank datum dauer decke dienst dienste ding dokument druck
    drucker ebene ecke eigentum eigentümer eingabe eingang einheit einkommen einstellung eintrag element ende energie
    entgelt entwicklung erfahrung ergebnis erklärung erlaubnis essen fach fahrer fahrt fahrzeug faktor fall familie
    farbe fehler feier feld fenster ferien fest feuer figur film filter firma fläche flug fluss folge form format
    formular forschung frage frau freigabe freund frist führer führung funktion garten gebäude gebiet gebühr gefahr
    gegenstand gehalt geld gemeinde gerät gericht geschäft geschichte gesellschaft gesetz gespräch gesundheit gewicht
    gewinn glas grad grenze größe grund gruppe gut haftung halter hand handel handlung handy haus heft heim
    heizung herr hersteller hilfe hinweis hochzeit höhe holz hotel inhaber inhalt institut jahr kabel kammer kanal
    kapital karte kasse katalog kauf käufer keller kennung kette kind kirche klage klasse kleidung klinik knoten
    kommando kommission konto kontrolle kopf kopie körper kosten kraft kranken krankheit kreis krieg kunde kunden
    kurs lager lampe land lauf leben lehrer leistung leiter leitung lehre licht liebe lied lieferant lieferung linie
    liste lizenz lohn lösung luft macht maschine markt maß maßnahme material mauer mehrheit meister meldung menge
    mensch merkmal messe messer methode miete mieter minute mitglied mittel modell modul monat morgen motor museum
    musik muster mutter nachricht nachweis nacht name netz netzwerk nummer objekt option ordner ordnung organ ort paar
    paket papier park parameter partei partner pass passwort patient pause person pfad pfand pflege pflicht phase
    pilot plan platte platz politik position post praxis preis presse probe problem produkt programm projekt prozess
    prüfung punkt quelle quote rabatt rahmen rand rate raum rechner rechnung recht rechte rede regel regelung register
    reihe reise rente rest richtlinie richtung ring risiko rohr rolle ruhe runde sache sammlung satz schaden schalter
    schein schicht schiff schlag schließung schloss schlüssel schluss schnitt schnittstelle schrank schraube schreiben
    schrift schritt schuld schule schüler schutz seite sekunde sendung server service sicherheit sicherung sicht signal
    sitz sitzung software sohn sommer sonne speicher spende spiegel spiel spieler sport sprache stadt stand standard
    stätte status stelle stellung steuer stift stimme stock stoff strafe strecke streit strom struktur stück student
    stunde stunden suche summe system tabelle tafel tag tage tarif tasche taste technik teil teilung telefon termin
    test text theorie thema tier tisch titel tochter tonne treffen treiber trennung treppe übergabe überweisung übung
    uhr umfang umgebung umsatz unfall unterlage unterlagen unternehmen unterricht unterschrift untersuchung urlaub
    urlaubs urteil variable vater verband verbindung verbot verbrauch verein vereinbarung verfahren vergleich vergütung
    verhalten verhältnis verkauf verkäufer verkehr verlag verlauf verlust vermögen verordnung versand versicherung
    version versuch vertrag vertreter vertretung verwaltung verzeichnis vollmacht volumen vorgabe vorgang vorlage
    vorschlag vorschrift wache waffe wagen wahl wahrung wand ware waren wärme warnung wasser wechsel wege weise welt
    werk werkzeug wert wesen wettbewerb winter wirkung wirtschaft wissen wissenschaft woche wochen wohnung wort wunsch
    zahl zahlung zeichen zeile zeit zeitung zelle zentrum zertifikat zettel zeug zeugnis ziel zimmer zins zinsen zone
    zugang zugriff zukunft zusage zuschlag zuschuss zustand zweck
    """.split()  # noqa: SIM905 - easier to read and to extend than 450 literals
)
_INFLECTED: Final = ("", "en", "es", "er", "e", "n", "s")


def parts(word: str) -> Iterator[tuple[int, int]]:
    """The places of the nouns of a word in lower case, if it is a compound, and of neighbours together.

    At most 35: `Datenschutzbeauftragte` has `Datenschutz` as well as `Schutzbeauftragte`.
    """
    if SHORTEST <= len(word) <= LONGEST:
        whole = (0, len(word))
        places = [0, *_cuts(word, *whole, _DEEPEST), len(word)]
        yield from (part for part in combinations(places, 2) if part != whole)


def _cuts(word: str, start: int, end: int, depth: int) -> Iterator[int]:
    """Where nouns of the word begin, in order, but for the first."""
    cut = _cut(word, start, end) if depth else None
    if cut is not None:
        yield from _cuts(word, start, cut, depth - 1)
        yield cut
        yield from _cuts(word, cut, end, depth - 1)


def _cut(word: str, start: int, end: int) -> int | None:
    """Where the compound's last noun begins: the longest that is known, or that follows a linking `s`."""
    places = range(start + _SHORTEST_PART, end - _SHORTEST_PART + 1)
    if last := next((cut for cut in places if _is_noun(word[cut:end])), None):
        particle = None if _is_noun(word[start:last]) else _PARTICLE.search(word, start + _SHORTEST_PART, last)
        return particle.start() if particle else last
    if links := [found.end() for found in _LINK.finditer(word, start, end)]:
        return links[-1]
    return next(
        (cut for cut in reversed(places[:-1]) if word[cut] not in _NO_BEGIN and _is_noun(word[start:cut])), None
    )


def _is_noun(part: str) -> bool:
    return any(part.endswith(ending) and part[: len(part) - len(ending)] in _NOUNS for ending in _INFLECTED)
