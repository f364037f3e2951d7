"""The words that the sandbox's people and companies are named by; `_` is a space within one."""

Country = tuple[str, list[str], str]


def _words(text: str) -> list[str]:
    return text.split()


FIRST_NAMES = _words("""
    Adrián Agnieszka Aino Álvaro Amélie Anouk Anselm Antoine Astrid Aurora Beatriz Benedikt
    Birgit Björn Brigid Camille Caoimhe Carlos Cécile Charlotte Claudia Conor Cornelia Dagmar
    Damián Davide Dominik Dorothée Édouard Eleonora Elsa Emre Enrique Ewa Fabian Fatma Fiona
    François Freya Gabriel Gaëlle Giulia Grzegorz Gudrun Gustav Håkan Heidi Héloïse Hugo
    Ignacio Inés Ingrid Irene Isolde Jacek Jana Joaquín Johanna Jürgen Kasper Katarzyna Klára
    Lars Leïla Leonie Linnéa Lorenzo Lucía Ludwig Magdalena Maëlle Marcus Margarethe Matteo
    Maximilian Mercedes Michał Miriam Nadia Nicolás Niamh Noémie Ottilie Pablo Patricia
    Pauline Petra Philippa Rafael Raúl Renata Richard Robert Ruth Sabine Samuel Sebastián
    Sigrid Silvia Siobhán Sofía Stéphane Susanne Svenja Teresa Theo Thérèse Thomas Tomasz
    Ulrike Valentin Veronika Víctor Viktor Walter Wiebke Wojciech Xavier Yvonne Zoé Zofia
""")
LAST_NAMES = _words("""
    Abbott Ackermann Aguilar Andersson Arnaud Ashworth Azevedo Bakker Baptiste Barnes Bartoš
    Baumgartner Beaumont Bergström Bernard Blanchet Borg Brandt Braun Brennan Büchner Calderón
    Cardoso Carvalho Castillo Chevalier Conti Cruz D'Angelo D'Souza Dahl Dąbrowski Davies
    De_Luca Delacroix Demir Díaz Diaz Doyle Dvořák Eklund Engel Esposito Farkas Fernández
    Ferrari Fiala Fournier Frost Gallagher García Gauthier Giordano Gómez Grant Gröning Guérin
    Hansen Hartmann Haugen Hernández Hoffmann Holm Horváth Hughes Ibáñez Jaworski Johansson
    Kaminski Karlsson Keane Klein Koch Köhler Koskinen Król Kučera L'Hermite Lambert Lehmann
    Lefèvre Lewandowski Löwe Lundgren MacLeod Maier Mancini Marchetti Martínez McCarthy Meier
    Meyer Mayr Molina Moreno Müller Mueller Nagy Nieminen Nowak Nguyen Núñez Öberg O'Connor
    O'Neill O'Sullivan Øverland Pereira Peters Pfeiffer Pichler Poulsen Quinn Ramírez Reyes
    Ricci Ritter Rosenberg Roux Ruiz Sánchez Santos Schäfer Schmidt Schmitt Schneider Schröder
    Seidel Şahin Simon Smith Smyth Søndergaard Sommer Søren Stein Straßer Suárez Svensson
    Szabó Thomson Thompson Turner Urban Van_Damme Van_der_Berg Vargas Villanueva Vogel Wagner
    Walsh Weiß Weiss Werner White Winkler Wójcik Wright Yilmaz Young Zimmermann
""")
# How a name is written, and in Latin letters.
JAPANESE_FIRST = _words("""
    健太:kenta 美咲:misaki 翔太:shota 陽菜:hina 大輔:daisuke 結衣:yui 直樹:naoki 愛:ai
    拓也:takuya さくら:sakura 恵子:keiko 一郎:ichiro ひろし:hiroshi 由美子:yumiko 誠:makoto
    真由美:mayumi 学:manabu あゆみ:ayumi 隆:takashi 香織:kaori ケンジ:kenji マリ:mari
""")
JAPANESE_LAST = _words("""
    佐藤:sato 鈴木:suzuki 高橋:takahashi 田中:tanaka 伊藤:ito 渡辺:watanabe 渡邊:watanabe
    山本:yamamoto 中村:nakamura 小林:kobayashi 加藤:kato 吉田:yoshida 斎藤:saito 齋藤:saito
    松本:matsumoto 井上:inoue 木村:kimura 林:hayashi 清水:shimizu 山崎:yamazaki
""")
LONG_NAMES = [
    ("Maximiliane Philippa Theodora Augusta", "von und zu Hohenstein-Falkenberg-Lichtenau"),
    ("José María de los Dolores Francisco de Paula", "Fernández-Villaverde y Sánchez de la Torre"),
    ("Wolfeschlegelstein", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunter"),
]
PLACES = _words("""
    Abbey Acorn Aspen Atlas Beacon Bellwether Blue_Heron Bramble Bridge_Street Brook Canal
    Castle Cherry Clover Copper Coral Crescent Crown Delta Dune Eagle East_Gate Ember Falcon
    Fjord Fox Garnet Glen Granite Green_Lane Hawthorn Hazel Heather Highfield Horizon Ivory
    Jade Kestrel Lantern Larch Lighthouse Linden Lotus Maple Meadow Meridian Mill_Pond Moor
    North_Star Oak Orchard Otter Pearl Pine Poplar Raven Redwood Rowan Saffron Sierra
    Silver_Birch Sparrow Spruce Summit Swan Thistle Topaz Valley Vista Walnut Willow Wren
    Zenith
""")
TRADES = _words("""
    Architects Automotive Bakery Breweries Catering Chemicals Clinics Consulting Cosmetics
    Dairy Electronics Engineering Fabrics Fisheries Furniture Glass Hotels Insurance Joinery
    Kitchens Logistics Machinery Media Metals Opticians Packaging Pharma Plastics Plumbing
    Printing Robotics Security Ship_Repair Software Solutions Textiles Timber Tools Travel
    Windows
""")
JAPANESE_COMPANIES = _words("""
    青空商事:aozora-shoji 桜井製作所:sakurai-works 東洋電機:toyo-denki みどり食品:midori-foods
    北海水産:hokkai-suisan 富士見印刷:fujimi-print 日の出運輸:hinode-unyu 光精密:hikari-seimitsu
    さくら薬品:sakura-yakuhin 大和建設:yamato-kensetsu ミライシステム:mirai-system
    若葉出版:wakaba-books 瑞穂化学:mizuho-kagaku 星野ガラス:hoshino-glass
""")
LONG_COMPANIES = [
    "The Worshipful Association of Independent Manufacturers, Restorers and Distributors of Fine"
    " Optical and Nautical Instruments of the Northern Counties",
    "Internationale Gesellschaft für angewandte Grundstücksverkehrsgenehmigungszuständigkeits"
    "übertragungsverordnungen mbH & Co. KG",
    "Confederación Intersectorial de Pequeñas y Medianas Empresas Exportadoras de Frutas, Verduras"
    " y Hortalizas del Levante y del Mediterráneo, S.A.",
]
# Telephone, cities, and what a company there is called besides its name.
COUNTRIES: list[Country] = [
    ("+44 20", ["London", "Leeds", "Bristol", "Glasgow", "Cardiff"], "Ltd"),
    ("+49 30", ["Berlin", "München", "Köln", "Hamburg", "Lübeck"], "GmbH"),
    ("+33 1", ["Paris", "Lyon", "Nîmes", "Orléans"], "SARL"),
    ("+39 02", ["Milano", "Torino", "Forlì", "Bari"], "S.p.A."),
    ("+34 91", ["Madrid", "Málaga", "A Coruña", "Cádiz"], "S.L."),
    ("+46 8", ["Göteborg", "Malmö", "Umeå"], "AB"),
    ("+48 22", ["Łódź", "Kraków", "Gdańsk"], "Sp. z o.o."),
    ("+1 212", ["Boston", "Austin", "Portland", "San José"], "Inc."),
]
JAPAN: Country = ("+81 3", ["東京", "大阪", "札幌", "福岡", "横浜"], "株式会社")
KINDS = ["Sons", "Partners", "Cie", "Brothers"]
FREE_MAIL = _words("""
    gmail.com gmail.com gmail.com outlook.com hotmail.com yahoo.com icloud.com web.de gmx.de
    yahoo.co.jp orange.fr libero.it proton.me
""")
JOBS = [
    *("Accountant", "Buyer", "Chief executive", "Customer service", "Engineer", "Head of sales"),
    *("IT manager", "Marketing", "Office manager", "Operations", "Plant manager", "Researcher"),
]
OFFERS = [
    *("Annual licence", "Pilot", "Spare parts"),
    *("Training days", "Support renewal", "Fleet lease"),
]
TROUBLES = [
    *("Cannot sign in", "Delivery is late", "Export is empty", "Wrong address on invoice"),
    *("No sound", "Printer offline", "Duplicate customer", "Password reset fails"),
]
