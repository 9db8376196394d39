DROP TABLE optouts;
