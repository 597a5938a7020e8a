# ruff: noqa: E501, RUF001 - one line for each language, in its own letters
"""The most frequent words of languages, by which a text's language is recognised."""

from __future__ import annotations

from typing import Final

FREQUENT_WORDS: Final = {
    "ar": "في من على إلى أن هذا هذه التي الذي عن مع لا ما كان أو هو تم لم كل بين غير يمكن عند",
    "bg": "и в не на че с по за от да се е са като или това към при може ще има",
    "ca": "el la els les de que i en un una és per amb no del al com més aquest aquesta són està dels pot",
    "cs": "a se v na je že s z do pro o k nebo jako by po ale jsou není byl při od pokud lze které",
    "da": "og at det som en er på for ikke af med den til et om har kan eller fra blev ved der skal de ikke",
    "de": "der die und das ist nicht den von zu mit ein eine auf für im dem sich wird werden auch als bei oder einer nach sie es kann wenn",
    "el": "και το να του η της με για που από δεν είναι στο την τα σε ένα των",
    "en": "the of and to in is that for it with as was on are this be by not or from have you which can if an at",
    "es": "el la los las de que y en un una es por con para no se del al como más su está o son puede este esta",
    "et": "ja on ei et see ta kui oli või mis aga ka ning selle seda kas siis võib ole pole",
    "eu": "eta da ez bat du dira ere baina edo hau izan den dute egin hori",
    "fa": "و در به از که این را با است برای آن یک تا بر هم شده می یا نیست",
    "fi": "ja on ei se että oli hän mutta ovat tai kun voi ole joka tämä sen niin myös jos ei voida",
    "fr": "le la les des et est un une du dans que pour pas sur au avec par plus ce qui sont ou être cette vous ne en de il",
    "ga": "agus an na ar is ní tá le go do bhí sé ag seo nó ach",
    "hi": "के है में की का और को से पर नहीं यह हैं एक कि ने लिए भी या",
    "hr": "i u je na se da za od s ne su koji ili kao nije što može iz bi",
    "hu": "a az és hogy nem is egy van ez meg de ha vagy csak mint lehet el már kell volt",
    "hy": "և է որ ին են այս մի համար են եւ",
    "id": "yang dan di untuk dengan tidak ini dari itu atau adalah pada ke dalam akan oleh dapat bisa",
    "it": "il la le di che e un una è per con non del della dei si nel da in sono più come gli al questo questa lo",
    "lt": "ir yra į kad su ne iš tai kaip bet ar nuo jei arba buvo nėra galima",
    "lv": "un ir uz ka no ar par kas vai bet nav lai ja tiek",
    "nb": "og å det som en er på for ikke av med den til et om har kan eller fra ble ved der skal de",
    "ne": "छ र को मा हो लागि गर्न यो पनि छैन भएको गर्नुहोस् वा ले",
    "nl": "de het een van en in is dat niet op te voor met zijn aan die wordt door of bij om deze kan naar er",
    "pl": "i w nie na z do się to jest że o jak po od za przez dla lub oraz są ze być może",
    "pt": "o a os as de que e em um uma é por com para não se do da dos das no na como mais ao ou são pode foi este esta",
    "ro": "și de la în nu cu pe un o este care din că mai pentru sau să al fi a ca",
    "ru": "и в не на что с по как это для от из или его но за к при не может если был до",
    "sk": "a sa v na je že s z do pre o k alebo ako by po ale sú nie bol pri od ktoré",
    "sl": "in je v na se da za z ne so ki ali kot ni bo pri od ter lahko",
    "sr": "и у не на да се је за од што са или као су није из може",
    "sv": "och att det som en är på för inte av med den till ett om har kan eller från var vid ska de",
    "ta": "மற்றும் ஒரு இந்த என்று இல்லை என்ற இது முடியாது",
    "tr": "ve bir bu için ile da de olarak daha olan çok ne gibi kadar değil var veya ya",
    "uk": "і в не на що з до як це для від або та у за по не може при якщо",
    "vi": "và của là không có được cho trong các một những này với khi để từ",
    "yi": "און די דער איז אַז פֿון צו אין מיט ניט",
}
